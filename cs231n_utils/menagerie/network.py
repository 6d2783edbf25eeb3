"""The menagerie's network: SqueezeNet 1.1 without its last ReLU.

Source: Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size", in torchvision's version 1.1.
"""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models import squeezenet1_1
from torchvision.models.squeezenet import Fire

CLASSIFIER_CONV = "classifier.1"


def build_network(num_classes: int) -> nn.Module:
    """Return an untrained network: float32 (N, 3, H, W) in, raw scores (N, num_classes) out.

    torchvision's model ends in a ReLU before the average. It makes every unlikely score exactly 0,
    with no gradient, and no ascent can start from there; so it is left out.
    """
    network: nn.Module = squeezenet1_1(weights=None, num_classes=num_classes)
    classifier = network.get_submodule("classifier")
    assert isinstance(classifier, nn.Sequential)
    classifier[2] = nn.Identity()
    return network


def with_batch_norm(network: nn.Module) -> nn.Module:
    """Put batch normalisation behind every convolution but the last, in place, for training.

    A SqueezeNet learns slowly from scratch. With batch norm it learns fast, and `folded` takes it
    out again without changing a single score.
    """
    for module in list(network.modules()):
        if isinstance(module, Fire):
            for name in ("squeeze", "expand1x1", "expand3x3"):
                _normalise(module, name)
    features = network.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    _normalise(features, "0")
    return network


def _normalise(parent: nn.Module, name: str) -> None:
    conv = parent.get_submodule(name)
    assert isinstance(conv, nn.Conv2d)
    setattr(parent, name, nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels)))


def folded(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of the plain network that computes what a batch-normed one does.

    state: the `state_dict` of a network made by `with_batch_norm`.
    The scores are also centred: the last layer's weights lose their mean over the classes. No
    softmax sees the difference, but what all scores have in common is gone from their gradients,
    so that ascending one score does not raise them all alike.
    """
    plain: dict[str, torch.Tensor] = {}
    for key in state:
        if key.endswith(".running_mean"):
            at = key.removesuffix(".1.running_mean")
            weight, bias = fuse_conv_bn_weights(
                state[f"{at}.0.weight"],
                state[f"{at}.0.bias"],
                state[f"{at}.1.running_mean"],
                state[f"{at}.1.running_var"],
                1e-5,
                state[f"{at}.1.weight"],
                state[f"{at}.1.bias"],
            )
            plain[f"{at}.weight"], plain[f"{at}.bias"] = weight.detach(), bias.detach()
    for kind in ("weight", "bias"):
        last = state[f"{CLASSIFIER_CONV}.{kind}"]
        plain[f"{CLASSIFIER_CONV}.{kind}"] = last - last.mean(dim=0, keepdim=True)
    return plain
