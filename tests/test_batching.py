"""Several batches in one element: nothing lost, nothing twice, in order."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.batching import grouped, rows_in_turn
from tests.conformance import TINY, images_like

SHAPE = (28, 28, 1)


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 7, 10, 23])
@pytest.mark.parametrize("n", [1, 3, 5])
def test_every_row_is_in_one_batch(rows, n):
    x, y = np.arange(rows) * 10, np.arange(rows)
    batches = list(rows_in_turn(n, x, None, y))
    assert len(batches) == n
    assert all(nothing is None for _, nothing, _ in batches)
    for a, _, b in batches:
        np.testing.assert_array_equal(a, b * 10)
        assert 1 <= len(b) <= -(-rows // n)
    taken = np.concatenate([b for _, _, b in batches])
    if rows >= n:
        np.testing.assert_array_equal(np.sort(taken), y)
        sizes = [len(b) for _, _, b in batches]
        assert max(sizes) - min(sizes) <= 1
    else:  # again from the first, one a batch
        np.testing.assert_array_equal(taken, np.arange(n) % rows)


def test_rows_of_a_batch_of_unknown_size():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("sizes are known on JAX and PyTorch")
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def sums(x):
        return [tf.reduce_sum(batch) for (batch,) in rows_in_turn(3, x)]

    np.testing.assert_array_equal(sums(np.arange(7.0)), [9, 5, 7])
    np.testing.assert_array_equal(sums(np.arange(1.0, 3.0)), [1, 2, 1])


def batches_of(sizes):
    """Arrays of so many rows, counted through."""
    start = 0
    for size in sizes:
        yield np.arange(start, start + size, dtype=np.float32)
        start += size


class Rows(keras.utils.PyDataset):
    def __init__(self, sizes, labelled=False, **kwargs):
        super().__init__(**kwargs)
        self.batches = list(batches_of(sizes))
        self.labelled = labelled
        self.ended = 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        x = self.batches[i]
        return (x, x.astype(int)) if self.labelled else x

    def on_epoch_end(self):
        self.ended += 1


@pytest.mark.parametrize("labelled", [False, True])
def test_groups_of_a_pydataset(labelled):
    rows = Rows([4, 4, 4, 4, 4, 4, 1], labelled, workers=2, max_queue_size=3)
    together = grouped(rows, 3)
    assert together.num_batches == 3
    assert (together.workers, together.max_queue_size) == (2, 3)
    parts = [together[i] for i in range(3)]
    if labelled:
        for x, y in parts:
            np.testing.assert_array_equal(x, y)
        parts = [x for x, _ in parts]
    assert [len(x) for x in parts] == [12, 12, 1]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(25))
    together.on_epoch_end()
    assert rows.ended == 1


def test_groups_of_a_generator():
    parts = list(grouped(batches_of([4, 2, 4, 4, 3]), 2))
    assert [len(x) for (x,) in parts] == [6, 8, 3]
    whole = np.concatenate([x for (x,) in parts])
    np.testing.assert_array_equal(whole, np.arange(17))


def test_groups_of_a_data_loader():
    data = pytest.importorskip("torch.utils.data", reason="needs `torch`")
    loader = data.DataLoader(np.arange(17.0), batch_size=4, shuffle=True)
    together = grouped(loader, 3)
    assert len(together) == 2
    for _ in range(2):  # each epoch
        parts = [x.numpy() for x in together]
        assert [len(x) for x in parts] == [12, 5]
        whole = np.sort(np.concatenate(parts))
        np.testing.assert_array_equal(whole, np.arange(17))


@pytest.mark.parametrize("drop", [False, True])
def test_groups_of_a_tf_dataset(drop):
    tf = pytest.importorskip("tensorflow")
    x = np.arange(46, dtype=np.float32).reshape(23, 2)
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(23)))
    together = grouped(data.batch(4, drop_remainder=drop), 3)
    rows = 20 if drop else 23
    assert int(together.cardinality()) == 2
    assert together.element_spec[0].shape.as_list() == [None, 2]
    parts = [(a.numpy(), b.numpy()) for a, b in together]
    assert [len(a) for a, _ in parts] == [12, rows - 12]
    np.testing.assert_array_equal(
        np.concatenate([a for a, _ in parts]), x[:rows]
    )
    np.testing.assert_array_equal(
        np.concatenate([b for _, b in parts]), np.arange(rows)
    )
    endless = grouped(data.batch(4).repeat(), 3)
    assert int(endless.cardinality()) == tf.data.INFINITE_CARDINALITY
    assert [len(a) for a, _ in endless.take(3)] == [12, 11, 12]


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="takes 5 batches.*Received: list"):
        grouped([1, 2], 5)


def model_of(n_critic, **options):
    config = TINY["wgan_gp"] | {"n_critic": n_critic} | options
    return keras_gans.WGANGP(**config)


@pytest.mark.parametrize("n_critic", [1, 3])
def test_critic_steps_of_fit_see_batches_of_their_own(n_critic, monkeypatch):
    """Of the size asked for, each image once an epoch."""
    if keras.backend.backend() == "jax":
        pytest.skip("a step on JAX is traced, and cannot be looked into")
    model = model_of(n_critic)
    images = images_like({"image_shape": SHAPE}, n=32)
    images[:, 0, 0, 0] = np.linspace(-1, 1, 32)  # their numbers
    seen = []

    def look(real, labels):
        seen.append(keras.ops.convert_to_numpy(real)[:, 0, 0, 0])
        zero = keras.ops.zeros(())
        return zero, {"wasserstein": zero, "gp": zero}

    monkeypatch.setattr(model, "step_critic", look)
    monkeypatch.setattr(model, "step_generator", lambda m: keras.ops.zeros(()))
    model.compile(run_eagerly=True)
    model.fit(images, batch_size=4, epochs=2, verbose=0)
    assert all(len(batch) <= 4 for batch in seen)
    assert len(seen) == 2 * n_critic * -(-32 // (4 * n_critic))
    for epoch in np.array_split(np.concatenate(seen), 2):
        np.testing.assert_allclose(np.sort(epoch), images[:, 0, 0, 0])


def test_fewer_images_than_critic_steps():
    model = model_of(5)
    images = images_like({"image_shape": SHAPE}, n=3)
    history = model.fit(images, batch_size=1, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert int(model.discriminator_optimizer.iterations) == 5
    assert int(model.generator_optimizer.iterations) == 1


def test_batches_that_replicas_cannot_share_are_refused():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("replicas are TensorFlow's")
    import tensorflow as tf

    from keras_gans.inputs import check_replicas

    class Strategy:
        num_replicas_in_sync = 4

    class Model:
        distribute_strategy = Strategy()
        batches_a_step = 5
        takes_text = False

    def refused(x, batch_size, sentence):
        with pytest.raises(ValueError, match=sentence):
            check_replicas(Model(), x, batch_size)

    images = images_like({"image_shape": SHAPE}, n=44)
    check_replicas(Model(), images, 4)  # 20, 20, 4
    refused(images, 3, "at least 4 images.*a batch of 3")
    refused(images[:2], None, "at least 4 images.*a batch of 2")
    refused(images[:42], 4, "at least 4 images.*a batch of 2")  # 20, 20, 2
    refused(images, 6, "4 replicas can share.*Change `batch_size` to 8")
    data = tf.data.Dataset.from_tensor_slices(images)
    refused(data.batch(2, drop_remainder=True), None, "a batch of 2")
    check_replicas(Model(), data.batch(2), None)  # of a size that is not told
