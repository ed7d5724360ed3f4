"""Can a network learn one image by heart?"""

from __future__ import annotations

import torch

from napari_unetseg.networks.network import Network


def overfit(network: Network, *, steps: int, rate: float = 1e-2, batch: int = 1, edge: int = 64) -> float:
    """Train on a bright rectangle and a disc on noise, with all heads; return the IoU of what is found afterwards.

    ```
    #####   .
    #####  ###
    #####   '
    ```
    """
    y, x = torch.meshgrid(torch.arange(edge), torch.arange(edge), indexing="ij")
    cell = edge // 8
    rectangle = (y > cell) & (y < 6 * cell) & (x > cell) & (x < 4 * cell)
    disc = (y - 4 * cell) ** 2 + (x - 6 * cell) ** 2 < (1.5 * cell) ** 2
    truth = (rectangle | disc).long().expand(batch, edge, edge)
    noise = torch.randn(batch, network.config.in_channels, edge, edge, generator=torch.Generator().manual_seed(0))
    images = truth[:, None] + 0.3 * noise
    torch.manual_seed(0)  # dropout
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(steps):
        heads = network.forward_heads(images)
        losses = [torch.nn.functional.cross_entropy(logits, truth) for logits in (heads.logits, *heads.deep)]
        optimiser.zero_grad()
        (losses[0] + network.deep_weight * sum(losses[1:])).backward()
        optimiser.step()
    with torch.inference_mode():
        found = network.eval()(images[:1]).argmax(dim=1)
    both, either = (found & truth[:1]).sum(), (found | truth[:1]).sum()
    return float(both / either)
