"""The networks in PyTorch, where it is installed, equal those of astromorph."""
import importlib
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture
def convert(monkeypatch):
    monkeypatch.syspath_prepend(str(TRAINING))
    yield importlib.import_module("convert")
    for name in ("convert", "torch_networks"):
        del sys.modules[name]


# Frames whose padding differs between the ends of a side, and frames where it does not.
@pytest.mark.parametrize("name, size", [
    ("pinwheel", 80), ("pinwheel", 48), ("whirlpool", 64), ("whirlpool", 56)])
def test_same_features_and_logits(convert, name, size):
    assert max(convert.compare(name, size, outputs=2)) < convert.TOLERANCE


def test_a_difference_is_told(convert, monkeypatch):
    make, arrays_of = convert.NETWORKS["pinwheel"]

    def spoiled(state):
        arrays = arrays_of(state)
        return arrays | {"stem_conv/kernel": arrays["stem_conv/kernel"][::-1]}

    monkeypatch.setitem(convert.NETWORKS, "pinwheel", (make, spoiled))
    assert max(convert.compare("pinwheel", 48)) > 100 * convert.TOLERANCE
    monkeypatch.setattr(convert, "SIZES", (("pinwheel", 48),))
    monkeypatch.setattr(sys, "argv", ["convert"])
    with pytest.raises(SystemExit, match="differ by more than 0.0001"):
        convert.main()


def test_whirlpool_takes_weights_of_imagenet(convert, tmp_path):
    """All but the last layer's, which have other outputs; a file of another network is refused."""
    Whirlpool = convert.Whirlpool
    torch.manual_seed(1)
    taught, own = Whirlpool(10), Whirlpool(2)
    last = own.state_dict()["_fc.weight"].clone()
    torch.save(taught.state_dict(), tmp_path / "imagenet.pth")
    own.load_imagenet(tmp_path / "imagenet.pth")
    state = own.state_dict()
    assert torch.equal(state["_fc.weight"], last)
    assert torch.equal(state["_blocks.7._depthwise_conv.weight"],
                       taught.state_dict()["_blocks.7._depthwise_conv.weight"])
    torch.save(convert.Pinwheel(2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match="state_dict"):
        own.load_imagenet(tmp_path / "other.pth")


def test_blocks_are_left_out_in_training_alone(convert):
    torch.manual_seed(2)
    module, pixels = convert.Whirlpool(2, drop=0.9), torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        convert.unsettle(module, pixels)
        assert torch.equal(module.eval()(pixels), module(pixels))
        statistics = module.state_dict()["_bn0.running_mean"].clone()
        assert not torch.equal(module.train()(pixels), module(pixels))
        assert not torch.equal(module.state_dict()["_bn0.running_mean"], statistics)
