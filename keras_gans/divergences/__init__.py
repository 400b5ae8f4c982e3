"""How far two distributions are apart, in the six ways of the field.

The same names in three places: of `histograms` (the probabilities of a discrete
law), of `samples` (numbers drawn from two laws) and of `gaussians` (closed
forms). Each has, where it means something,

    total_variation   sup_A |P(A) - Q(A)|, from 0 to 1
    kl                E_P[log p/q], in nats; inf where Q lacks what P has
    reverse_kl        E_Q[log q/p]
    jensen_shannon    of each from their mean; in nats, from 0 to log 2
    wasserstein_1     the least work to move P onto Q, in the points' unit
    energy_distance   2 E|X - Y| - E|X - X'| - E|Y - Y'|, in the same unit

and `kantorovich_rubinstein` trains a critic, whose scores bound the Wasserstein
distance of samples from below.

```python
from keras_gans.divergences import gaussians, histograms, samples

histograms.kl([0.5, 0.5], [0.25, 0.75])  # 0.144 nats
gaussians.wasserstein_1((0.0, 1.0), (2.0, 1.0))  # 2.0
samples.wasserstein_1([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])  # 5.0
```
"""

from keras_gans.divergences import gaussians, histograms, samples
from keras_gans.divergences.critic import Bound, kantorovich_rubinstein

__all__ = [
    "Bound",
    "gaussians",
    "histograms",
    "kantorovich_rubinstein",
    "samples",
]
