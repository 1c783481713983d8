"""What a step of Muon changes, and that every parameter belongs to one optimiser."""

import pytest
import torch
from torch.optim import Adam

from vsduf.network.duf import Duf, DufConfig
from vsduf.training.muon import Muon, optimisers, orthogonal


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_orthogonal_keeps_directions_and_evens_their_sizes(shape):
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=torch.Generator().manual_seed(0)), full_matrices=False)
    sizes = torch.logspace(0, -1.5, min(shape))
    made = u.T @ orthogonal(u * sizes @ v) @ v.T
    torch.testing.assert_close(made, torch.diag(made.diagonal()), atol=1e-4, rtol=0)
    assert made.diagonal().min() > 0.6
    assert made.diagonal().max() < 1.25


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_step_is_as_large_as_the_rate_whatever_the_gradient(scale, layout):
    generator = torch.Generator().manual_seed(1)
    kernel = torch.randn(8, 16, 3, 3, generator=generator).contiguous(memory_format=layout).requires_grad_()
    before = kernel.detach().clone()
    kernel.grad = torch.randn(kernel.shape, generator=generator) * scale
    Muon([kernel], 0.01).step()
    change = before - kernel.detach()
    assert change.square().mean().sqrt() == pytest.approx(0.01, rel=0.2)
    assert torch.cosine_similarity(change.flatten(), kernel.grad.flatten(), 0) > 0.9


def test_momentum_goes_on_where_gradients_have_stopped():
    matrix = torch.zeros(4, 9, requires_grad=True)
    optimiser = Muon([matrix], 0.1)
    matrix.grad = torch.randn(4, 9)
    optimiser.step()
    after, matrix.grad = matrix.detach().clone(), torch.zeros(4, 9)
    optimiser.step()
    assert (matrix.detach() - after).abs().max() > 0.01
    matrix.grad = None
    after = matrix.detach().clone()
    optimiser.step()
    assert torch.equal(matrix.detach(), after)


@pytest.mark.parametrize(("name", "kinds"), [("muon", [Muon, Adam]), ("adam", [Adam])])
def test_every_parameter_has_one_optimiser(name, kinds):
    network = Duf(DufConfig(2, 4, 4, True))
    made = optimisers(name, network.parameters(), 1e-3)
    assert [type(o) for o in made] == kinds
    theirs = [id(p) for o in made for group in o.param_groups for p in group["params"]]
    assert sorted(theirs) == sorted(id(p) for p in network.parameters())
    if name == "muon":
        assert all(p.ndim > 1 for p in made[0].param_groups[0]["params"])
