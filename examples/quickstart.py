"""The main job, from nothing: build ResNet-34, draw it; train a small one on real digits.

Run it with: python examples/quickstart.py

Two runs on one machine give the same network, bit by bit. Another processor may add in another
order, and so may end at another accuracy; with oneDNN and without it is 98.89%.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow says less; errors are raised

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from resnet_builder import ResnetBuilder, plot


def build_and_draw_resnet_34() -> None:
    """As in the article: ResNet-34 for 224x224 colour images and 100 classes."""
    model = ResnetBuilder.build_resnet_34((3, 224, 224), 100)
    model.summary()
    plot(model, to_file="ResNet.png")
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    print("Model compiled; its picture is in ResNet.png")


def train_on_digits() -> None:
    """A small residual network on scikit-learn's 1,797 handwritten digits of 8x8 pixels."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0
    )
    model = ResnetBuilder.from_preset(
        "resnet18", (8, 8, 1), classes=10, stem="cifar", repetitions=(1, 1, 1), filters=16
    )
    epochs, batch_size = 15, 32
    steps = epochs * -(-len(train_x) // batch_size)
    model.compile(
        optimizer=keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(0.1, steps), momentum=0.9, nesterov=True
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(train_x, train_y, batch_size, epochs)
    _, accuracy = model.evaluate(test_x, test_y)
    print(f"Test accuracy: {accuracy:.2%} of {len(test_x)} digits")

    model.save("digits.keras")
    loaded = keras.models.load_model("digits.keras")
    predicted = loaded.predict(test_x[:10]).argmax(axis=1)
    print("Saved to digits.keras, loaded again, predicts:", predicted)
    print("The labels are:                               ", np.asarray(test_y[:10]))


if __name__ == "__main__":
    # The same result on every run on this machine.
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    build_and_draw_resnet_34()
    train_on_digits()
