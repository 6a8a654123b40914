"""Training: one step at a time, its whole state in arrays, so that it may stop anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from terradrift.detect.image.median import median
from terradrift.detect.inpaint.context import summary
from terradrift.detect.inpaint.cube import Cube, Scaling, scaling
from terradrift.detect.inpaint.loss import likelihood, loss
from terradrift.detect.inpaint.model import Fitted
from terradrift.detect.inpaint.network import Encoder, Inpainter, Predicted
from terradrift.detect.inpaint.noise import distance, noise
from terradrift.detect.inpaint.sampling import (
    Sample,
    draw,
    targets,
    whole,
)
from terradrift.detect.inpaint.scoring import SMOOTH_PX, levelled, smoothed
from terradrift.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from terradrift.detect.inpaint.settings import Settings

_CLIP = 1.0
_MEASURED = 60
"""Pairs of window and day that a measurement looks at, at most."""
_JUDGED = 240
"""Those that the noise is told by."""
_LEAST_DAYS = 4

Arrays = dict[str, NDArray[np.float32]]


class Losses(NamedTuple):
    """On the same clear pixels, of days that were never a target unless said otherwise."""

    absolute: float
    """Mean absolute error of the network, reflectance."""
    usual: float
    """That of the weighted median, from which the network starts."""
    median: float
    """That of the temporal median of all clear frames before."""
    laplace: float
    """Negative log-likelihood of the network, nats per pixel and band."""
    laplace_median: float
    """That of the temporal median with the best constant scale of each band."""


class Training:
    """A network being trained on the histories of some windows."""

    def __init__(
        self,
        cubes: Sequence[Cube],
        bands: tuple[str, ...],
        settings: Settings,
        *,
        device: torch.device,
        encoder: Encoder | None = None,
        encoder_name: str = "",
        gsd: float = 0.0,
    ) -> None:
        """Random weights, of the seed.

        Raises:
            ArchiveError: fewer than four days can be predicted.
        """
        self.cubes = cubes
        days = np.unique(
            [day for each in cubes for day in each.days[targets(each, None, settings)]]
        )
        if len(days) < _LEAST_DAYS:
            raise ArchiveError(
                f"training needs {_LEAST_DAYS} days or more that are clear on "
                f"{settings.target_clear:.0%} of a window with a clear day before them, got "
                f"{len(days)}; ingest more scenes"
            )
        random = np.random.default_rng([settings.seed, 1])
        count = min(max(1, round(settings.held_out * len(days))), len(days) - 2)
        count = count if settings.held_out else 0
        self.held = np.sort(random.choice(days, count, replace=False))
        self.days = days[~np.isin(days, self.held)]
        self._drawn = _pairs(cubes, self.days, settings)
        self.bands, self.settings, self.device = bands, settings, device
        self.encoder, self.encoder_name, self.gsd = encoder, encoder_name, gsd
        self.scaling = scaling(cubes)
        # Made on the CPU, so that every machine starts from the same weights.
        generator_state = torch.get_rng_state()
        torch.manual_seed(settings.seed)
        self.network = Inpainter(
            len(bands),
            widths=settings.widths,
            heads=settings.heads,
            context=settings.context,
            encoder=encoder,
        ).to(device)
        torch.set_rng_state(generator_state)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=settings.decay
        )
        self.mean = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.best: dict[str, torch.Tensor] | None = None
        self.best_cost: float | None = None
        self.steps = 0
        self._undo = [torch.from_numpy(each).to(device) for each in self.scaling]

    def step(self) -> float:
        """One step; gives its loss."""
        sample = draw(self.cubes, self._drawn, self.scaling, self.settings, self.steps)
        ramp = min(1.0, (self.steps + 1) / self.settings.warm)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * ramp
        found, sample = self._predicted(self.network.train(), sample)
        cost = loss(found, sample.target, sample.clear)
        self.optimiser.zero_grad(set_to_none=True)
        cost.backward()  # type: ignore[no-untyped-call] # torch's own
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        self.steps += 1
        keep = min(self.settings.average, self.steps / (self.steps + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)
        return float(cost.detach())

    def measure(self) -> Losses | None:
        """Of the running mean of the weights as it is; the best so far is what is kept.

        So a short history is not learned by heart: on few days held-out ones get worse in
        the end, and the untaught network, measured first, may remain the best.
        """
        found = self._losses(self.mean, self.held, _MEASURED)
        best = np.inf if self.best_cost is None else self.best_cost
        if found is not None and found.laplace < best:
            self.best = {name: value.clone() for name, value in self.mean.items()}
            self.best_cost = found.laplace
        return found

    def losses(self, *, held_out: bool = True) -> Losses | None:
        """Of what is kept, on held-out days or on those taught; None without any."""
        days = self.held if held_out else self.days
        return self._losses(self._kept(), days, _MEASURED)

    def _kept(self) -> dict[str, torch.Tensor]:
        return self.mean if self.best is None else self.best

    def _losses(
        self, weights: dict[str, torch.Tensor], days: NDArray[np.datetime64], most: int
    ) -> Losses | None:
        net = self._loaded(weights)
        rows = []
        for cube, index in self._some(days, most):
            found, sample = self._on(net, cube, index)
            rows.append(_errors(found, sample, cube, index, self.scaling))
        if not rows:
            return None
        absolute, usual, median, laplace = (
            np.concatenate(p) for p in zip(*rows, strict=True)
        )
        # Of a Laplace distribution the best scale is the mean absolute error.
        best = np.log(2 * median.mean(axis=0) / self.scaling.width) + 1
        return Losses(
            float(absolute.mean()),
            float(usual.mean()),
            float(median.mean()),
            float(laplace.mean()),
            float(best.mean()),
        )

    def fitted(self) -> Fitted:
        """The weights that are kept, and what residuals are like on all days."""
        net = self._loaded(self._kept())
        days = np.concatenate([self.days, self.held])
        off, away = [], []
        for cube, index in self._some(days, _JUDGED):
            found, sample = self._on(net, cube, index)
            seen = sample.clear & found.known
            mean, scale = levelled(
                found.mean, found.log_scale.exp(), sample.target, seen
            )
            u = torch.where(seen[:, None], (sample.target - mean) / scale, 0.0)
            even = smoothed(u, seen, SMOOTH_PX).movedim(1, -1)[seen]
            off.append(even.cpu().numpy())
            clear = (sample.clear | ~found.known)[0].cpu().numpy()
            away.append(distance(clear)[seen[0].cpu().numpy()])
        return Fitted(
            bands=self.bands,
            settings=self.settings,
            scaling=self.scaling,
            state={k: v.cpu().numpy().copy() for k, v in self._kept().items()},
            noise=noise(np.concatenate(off), np.concatenate(away)),
            encoder=self.encoder_name,
            gsd=self.gsd,
        )

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """All that the next step depends on, besides the histories and settings."""
        arrays: Arrays = {}
        for name, value in self.network.state_dict().items():
            arrays[f"now.{name}"] = value.cpu().numpy().copy()
            arrays[f"mean.{name}"] = self.mean[name].cpu().numpy().copy()
            if self.best is not None:
                arrays[f"best.{name}"] = self.best[name].cpu().numpy().copy()
        for name, parameter in self.network.named_parameters():
            held = self.optimiser.state.get(parameter, {})
            for key in ("exp_avg", "exp_avg_sq"):
                if key in held:
                    arrays[f"{key}.{name}"] = held[key].cpu().numpy().copy()
        return arrays, {"steps": self.steps, "best_cost": self.best_cost}

    def restore(
        self, arrays: Mapping[str, NDArray[np.float32]], told: Mapping[str, Any]
    ) -> None:
        """Go on from a `state`."""
        steps = int(told["steps"])

        def tensor(name: str) -> torch.Tensor:
            return torch.from_numpy(arrays[name].copy()).to(self.device)

        self.network.load_state_dict(
            {name: tensor(f"now.{name}") for name in self.mean}
        )
        self.mean = {name: tensor(f"mean.{name}") for name in self.mean}
        self.best_cost = told["best_cost"]
        if self.best_cost is not None:
            self.best = {name: tensor(f"best.{name}") for name in self.mean}
        for name, parameter in self.network.named_parameters():
            if f"exp_avg.{name}" in arrays:
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(float(steps)),
                    "exp_avg": tensor(f"exp_avg.{name}"),
                    "exp_avg_sq": tensor(f"exp_avg_sq.{name}"),
                }
        self.steps = steps

    def _predicted(self, net: Inpainter, sample: Sample) -> tuple[Predicted, Sample]:
        sample = Sample(
            sample.given.to(self.device),
            sample.target.to(self.device),
            sample.clear.to(self.device),
        )
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"
        ):
            return net(sample.given, *self._undo), sample

    @torch.no_grad()
    def _on(self, net: Inpainter, cube: Cube, index: int) -> tuple[Predicted, Sample]:
        return self._predicted(net, whole(cube, index, self.scaling, self.settings))

    def _loaded(self, weights: dict[str, torch.Tensor]) -> Inpainter:
        net = Inpainter(
            len(self.bands),
            widths=self.settings.widths,
            heads=self.settings.heads,
            context=self.settings.context,
            encoder=self.encoder,
        )
        net.load_state_dict(weights)
        return net.to(self.device).eval()

    def _some(self, days: NDArray[np.datetime64], most: int) -> list[tuple[Cube, int]]:
        """Up to `most` windows and frames of `days`, the same at every call."""
        pairs = _pairs(self.cubes, days, self.settings)
        random = np.random.default_rng([self.settings.seed, 2])
        some = random.permutation(len(pairs))[:most]
        return [(self.cubes[pairs[at][0]], pairs[at][1]) for at in np.sort(some)]


def _pairs(
    cubes: Sequence[Cube], days: NDArray[np.datetime64], settings: Settings
) -> list[tuple[int, int]]:
    """Every cube and frame that may be predicted on one of `days`."""
    return [
        (at, int(index))
        for at, cube in enumerate(cubes)
        for index in targets(cube, days, settings)
    ]


def _errors(
    found: Predicted, sample: Sample, cube: Cube, index: int, scaling: Scaling
) -> tuple[NDArray[np.float32], ...]:
    """(pixel, band) absolute errors in reflectance of network, start and median; likelihood."""
    seen = sample.clear & found.known

    def picked(values: torch.Tensor) -> NDArray[np.float32]:
        flat: NDArray[np.float32] = values.movedim(1, -1)[seen].cpu().numpy()
        return flat

    target = sample.target
    cost = picked(likelihood(found, target, sample.clear))
    away = picked((target - found.mean).abs()) * scaling.width
    start = picked((target - summary(sample.given).usual).abs()) * scaling.width
    mask = seen[0].cpu().numpy()
    middle = median(cube.pixels[:index])[:, mask].T
    now = cube.pixels[index][:, mask].T
    return away, start, np.abs(now - middle), cost
