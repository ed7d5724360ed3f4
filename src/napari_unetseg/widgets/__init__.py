"""The docks in napari: they build, connect and display; what is computed is computed in `tasks`."""
