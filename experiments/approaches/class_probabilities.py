"""Approaches that learn class probabilities: cross-entropy, MC-Dropout, an ensemble, HET-XL and SNGP's last layer.

The uncertainty of each is the entropy of its (mean) class probabilities in nats.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.approaches.approach import OWN_SIZE, Approach, Batch, normal_numbers

PASSES = 10
MEMBERS = 10
SAMPLES = 16
FEATURES = 512
RIDGE = 1.0
ROWS_AT_ONCE = 4096


def entropy(log_probabilities: Tensor) -> Tensor:
    """Entropy in nats (B,) of log-probabilities (B, C)."""
    probabilities = log_probabilities.exp()
    return -torch.xlogy(probabilities, probabilities).sum(1)


def mean_log_probabilities(logits: Tensor) -> Tensor:
    """Log (B, C) of the mean over samples of the softmax of logits (S, B, C)."""
    return torch.logsumexp(F.log_softmax(logits, dim=2), dim=0) - math.log(len(logits))


def ensemble_loss(logits: Tensor, label: Tensor, times: Tensor) -> Tensor:
    """Mean cross-entropy of the members' logits (M, B, C) with labels (B,), each picture counting `times` (M, B).

    Each member learns alone, from its own draw of the pictures.
    """
    each = F.cross_entropy(logits.transpose(1, 2), label.expand(len(logits), -1), reduction="none")
    return (each * times).mean()


def heteroscedastic_samples(mean: Tensor, deviation: Tensor, factor: Tensor, noise: Tensor, shared: Tensor) -> Tensor:
    """Samples (S, B, E) of a normal around `mean` (B, E) with covariance diag(deviation²) + factor·factorᵀ.

    `deviation` and `factor` are (B, E), the normal numbers `noise` (S, B, E) and `shared` (S, B, 1). HET-XL (Collier et
    al. 2023, section 3) with rank one.
    """
    return mean + noise * deviation + shared * factor


def heteroscedastic_loss(logits: Tensor, label: Tensor) -> Tensor:
    """−log of the mean probability of the label over samples, of logits (S, B, C) and labels (B,); mean over B."""
    return F.nll_loss(mean_log_probabilities(logits), label)


def feature_variance(features: Tensor, seen: Tensor, *, ridge: float) -> Tensor:
    """Variance (B,) of a linear function of features (B, K) after features (N, K) were seen: φᵀ(ridge·I + Σφφᵀ)⁻¹φ.

    The posterior of a Gaussian likelihood with noise 1 and a prior of variance 1 / ridge.
    """
    precision = seen.T @ seen + ridge * torch.eye(seen.shape[1], dtype=seen.dtype)
    solved: Tensor = torch.linalg.solve(precision, features.T)
    return (features * solved.T).sum(1)


def mean_field_logits(logits: Tensor, variance: Tensor) -> Tensor:
    """Logits (B, C) flattened by their variance (B,): z / √(1 + π/8 · v) (SNGP, Liu et al. 2020, appendix)."""
    return logits / (1 + math.pi / 8 * variance).sqrt().unsqueeze(1)


class CrossEntropy(Approach):
    """A linear classifier."""

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(size, classes)

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Cross-entropy, without label smoothing."""
        return F.cross_entropy(self.classifier(batch.first), batch.label)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Entropy of the class probabilities."""
        return entropy(F.log_softmax(self.classifier(x), dim=1))


class Dropout(CrossEntropy):
    """A linear classifier behind dropout with `rate`, which stays on at prediction."""

    def __init__(self, size: int, classes: int, *, rate: float) -> None:
        super().__init__(size, classes)
        self.rate = rate

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Cross-entropy of one pass."""
        return F.cross_entropy(self.classifier(self.dropped(batch.first, generator)), batch.label)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Entropy of the mean probabilities of ten passes."""
        passes = [self.classifier(self.dropped(x, generator)) for _ in range(PASSES)]
        return entropy(mean_log_probabilities(torch.stack(passes)))

    def dropped(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Values of x (B, D) with some set to zero and the others scaled up."""
        mask = torch.from_numpy(generator.random(tuple(x.shape), np.float32) >= self.rate)
        return x * mask / (1 - self.rate)


class Ensemble(Approach):
    """Ten linear classifiers, each with first weights and a bootstrap of the training pictures of its own."""

    times: Tensor

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.classifiers = nn.Linear(size, MEMBERS * classes)
        self.register_buffer("times", torch.zeros(MEMBERS, 0))

    def start(self, pictures: int, generator: np.random.Generator) -> None:
        """Draw as many of the pictures for each member, with replacement: how often each is drawn (M, P)."""
        drawn = generator.multinomial(pictures, np.full(pictures, 1 / pictures), MEMBERS)
        self.times = torch.from_numpy(drawn.astype(np.float32))

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Mean cross-entropy of the members, each on its own draw."""
        return ensemble_loss(self.logits(batch.first), batch.label, self.times[:, batch.place])

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Entropy of the members' mean probabilities."""
        return entropy(mean_log_probabilities(self.logits(x)))

    def logits(self, x: Tensor) -> Tensor:
        """Logits (M, B, C) of every member."""
        every: Tensor = self.classifiers(x)
        return every.reshape(len(x), MEMBERS, self.classes).transpose(0, 1)


class Heteroscedastic(Approach):
    """HET-XL: noise that depends on the picture before a linear classifier; averaged over 16 samples."""

    def __init__(self, size: int, classes: int, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.mean = nn.Linear(size, OWN_SIZE)
        self.deviation = nn.Linear(size, OWN_SIZE)
        self.factor = nn.Linear(size, OWN_SIZE)
        self.classifier = nn.Linear(OWN_SIZE, classes)

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """−log of the label's mean probability."""
        return heteroscedastic_loss(self.logits(batch.first, generator), batch.label)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Entropy of the mean probabilities."""
        return entropy(mean_log_probabilities(self.logits(x, generator)))

    def embedding(self, x: Tensor) -> Tensor:
        """The mean of the noisy embedding (B, E)."""
        mean: Tensor = self.mean(x)
        return mean

    def logits(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Logits (S, B, C) of samples."""
        noise = normal_numbers((SAMPLES, len(x), OWN_SIZE), generator)
        shared = normal_numbers((SAMPLES, len(x), 1), generator)
        mean, deviation, factor = self.mean(x), F.softplus(self.deviation(x)), self.factor(x)
        drawn = heteroscedastic_samples(mean, deviation, factor, noise, shared)
        logits: Tensor = self.classifier(drawn) / self.temperature
        return logits


class RandomFeatures(Approach):
    """SNGP's Gaussian-process layer alone: random Fourier features with a length scale, and an exact covariance."""

    frequencies: Tensor
    phases: Tensor
    seen: Tensor

    def __init__(self, size: int, classes: int, *, length: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(size, FEATURES) / (length * math.sqrt(size)))
        self.register_buffer("phases", torch.rand(FEATURES) * 2 * math.pi)
        self.register_buffer("seen", torch.zeros(0, FEATURES))
        self.classifier = nn.Linear(FEATURES, classes)

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Cross-entropy of the logits without variance."""
        return F.cross_entropy(self.classifier(self.features(batch.first)), batch.label)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Entropy of the mean-field probabilities."""
        features = self.features(x)
        variance = feature_variance(features.double(), self.seen.double(), ridge=RIDGE).float()
        return entropy(F.log_softmax(mean_field_logits(self.classifier(features), variance), dim=1))

    def finish(self, x: Tensor) -> None:
        """Keep the features of all that was seen, from which the covariance follows."""
        self.seen = self.features(x).detach()

    def features(self, x: Tensor) -> Tensor:
        """√(2/K) cos(xW + b) (B, K): their products are a Gaussian kernel's."""
        return math.sqrt(2 / FEATURES) * torch.cos(x @ self.frequencies + self.phases)
