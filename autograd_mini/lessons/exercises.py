"""The exercises of the lessons: a question with a number or a word as its answer, or a task."""

from __future__ import annotations

import math
from typing import Final

from . import tasks
from .question import Question, Task

EXERCISES: Final[dict[str, Question | Task]] = {
    "computation-graph/1": Question(
        "dJ/da =",
        7,
        "The number on the arrow from a is the other factor.",
        {4: "This is dJ/db. The number on the arrow from a is the other factor.", 28: "This is J."},
    ),
    "computation-graph/2": Question(
        "dJ/da =",
        2,
        "Nudge a by 0.001. How much does J grow?",
        {1: "This is dJ/db.", 20: "This is the value of 2a.", 3: "b does not change if a changes."},
    ),
    "computation-graph/3": Question(
        "dJ/dx =",
        32,
        "Multiply dJ/du by du/dx.",
        {
            8: "This is dJ/du. Multiply it by du/dx.",
            4: "This is du/dx. Multiply it by dJ/du.",
            16: "This is J. Its derivative has the factors 2u and 4.",
            12: "Multiply along the path, do not add.",
        },
    ),
    "computation-graph/4": Question(
        "dz/dx =",
        7,
        "Three arrows leave x. Add their contributions.",
        {
            6: "The arrow from x to the sum is missing.",
            4: "The product has two arrows from x.",
            3: "The product has two arrows from x, and the sum has one.",
            1: "The two arrows from x to the product are missing.",
            12: "This is z.",
            9: "Add the contributions of the arrows, do not multiply them.",
        },
    ),
    "computation-graph/5": Task(tasks.slope),
    "one-neuron/1": Question(
        "dz =",
        -0.5,
        "dz = a − y. What is a = σ(0)?",
        {0.5: "The size is right, the sign is not: dz = a − y.", -1: "σ(0) is not 0.", 0: "σ(0) is not 1."},
    ),
    "one-neuron/2": Question(
        "x₂ on the boundary:",
        5,
        "On the boundary, w₁x₁ + w₂x₂ + b = 0.",
        {-5: "The size is right, the sign is not: w₂ is −2.", 1: "The sign of b is wrong.", 3: "The bias is missing."},
    ),
    "one-neuron/3": Question(
        "Does the boundary move?",
        "no",
        "The boundary is where z = 0. Where is 10z = 0?",
        {"yes": "The boundary is where z = 0. Where is 10z = 0?"},
        ("yes", "no"),
    ),
    "one-neuron/4": Task(tasks.gradient_of_a_neuron),
    "one-neuron/5": Task(tasks.step_of_a_neuron),
    "one-neuron/6": Question(
        "The size of the weights",
        "it grows",
        "All answers are right. Which change makes every answer more certain, and so every loss smaller?",
        {
            "it stops": "At a finite size each loss is above 0, and more certain answers make it smaller.",
            "it shrinks": "Smaller weights make less certain answers, and so a larger loss.",
        },
        ("it grows", "it stops", "it shrinks"),
    ),
    "two-layer-net/1": Task(tasks.squared_error),
    "two-layer-net/2": Question(
        "This formula changes:",
        "dz1",
        "tanh is in the hidden layer. In which formula is the slope of the hidden activation?",
        {
            "dz2": "The output layer still has a sigmoid.",
            "dw1": "This formula has dz1 and x. Neither is an activation's slope.",
            "dw2": "a1 has other values, but the formula is the same.",
        },
        ("dz2", "dw2", "db2", "dz1", "dw1", "db1"),
    ),
    "two-layer-net/3": Question(
        "The boundary of a net with one hidden neuron:",
        "a straight line",
        "The output grows or falls with a₁, and a₁ grows with z₁. Where is the output ½?",
        {
            "a closed curve": "On the boundary a₁ has one fixed value, so z₁ has, too.",
            "any curve": "On the boundary a₁ has one fixed value, so z₁ has, too.",
        },
        ("a straight line", "a closed curve", "any curve"),
    ),
    "two-layer-net/4": Task(tasks.transposes),
    "random-initialisation/1": Question(
        "Do the neurons stay equal?",
        "no",
        "Look at the rows of the first layer's W at the start.",
        {"yes": "The first layer's rows are random, so its neurons differ. What follows for the second layer's dW?"},
        ("yes", "no"),
    ),
    "random-initialisation/2": Question(
        "The rows of the first layer's dW are",
        "multiples of each other",
        "All g′(z) are equal. Which factor of row j is its own?",
        {
            "equal": "Row j has the factor of neuron j in the second layer, and these factors are random.",
            "unrelated": "All rows have the same inputs and the same g′(0).",
        },
        ("equal", "multiples of each other", "unrelated"),
    ),
    "random-initialisation/3": Question(
        "Is it enough?",
        "yes",
        "What are the activations of the hidden neurons at the start?",
        {"no": "a = σ(b) differs from neuron to neuron. So which derivatives differ?"},
        ("yes", "no"),
    ),
    "random-initialisation/4": Question(
        "Xavier's r and He's standard deviation:",
        (math.sqrt(6 / 200), math.sqrt(2 / 100)),
        "r is the root of 6/(inputs + outputs). The standard deviation is the root of the variance 2/inputs.",
        {
            (6 / 200, 2 / 100): "Take the square roots.",
            (
                math.sqrt(2 / 200),
                math.sqrt(2 / 100),
            ): "This is Xavier's standard deviation. The uniform distribution has r.",
            (math.sqrt(2 / 100), math.sqrt(6 / 200)): "The order is r, then He's standard deviation.",
        },
    ),
    "build-the-engine/add": Task(tasks.add),
    "build-the-engine/multiply": Task(tasks.multiply),
    "build-the-engine/topological-order": Task(tasks.topological_order),
    "build-the-engine/backward": Task(tasks.backward),
    "build-the-engine/tanh": Task(tasks.tanh),
    "build-the-engine/neuron": Task(tasks.neuron),
    "build-the-engine/1": Task(tasks.subtract),
    "build-the-engine/2": Task(tasks.power),
    "build-the-engine/3": Task(tasks.deep_order),
    "when-gradients-go-wrong/1": Question(
        "x.grad after the second call:",
        45,
        "The interior node t = x·x still has the 3 of the first call. Which number does it pass to x now?",
        {
            27: "Only x was cleared. What is left in the node t = x·x?",
            54: "x was cleared. What is left in the node t = x·x?",
            36: "This is the part that comes through t. x is also a direct operand of J.",
        },
    ),
    "when-gradients-go-wrong/2": Question(
        "The value of 1 − a at a = 3:",
        2,
        "Python calls a.__rsub__(1). Which difference does `__sub__` compute, with self = a?",
        {-2: "This is the right value. But self is a, and other is 1."},
    ),
    "when-gradients-go-wrong/3": Question(
        "Number of bugs that show:",
        0,
        "Each bug needs something: a number that is used twice, a second step or a difference.",
        {1: "Does the chain have a number that is used twice, a second step, or a difference?"},
    ),
    "when-gradients-go-wrong/4": Question(
        "The determinant:",
        1,
        "The new v is v + 2e, and the new e is e − 0.1 · (v + 2e). Write both as a matrix times (e, v).",
        {
            0.8: "The new e uses the new v, and so the term 2e, too.",
            1.2: "The step subtracts 0.1 · v.",
            1.8: "This is the trace.",
        },
    ),
    "a-gpt-in-scalars/1": Task(tasks.softmax),
    "a-gpt-in-scalars/2": Question(
        "The second difference:",
        8,
        "Take the four counts, then their three differences, then the two differences of these.",
        {4: "There are two heads.", 0: "Take the counts of the losses of names of 2, 3, 4 and 5 letters."},
    ),
    "a-gpt-in-scalars/3": Task(tasks.beginnings),
    "a-gpt-in-scalars/4": Question(
        "The largest size of this derivative:",
        0,
        "Which keys and values are in the list when the first place looks back?",
        {1: "Is there a path from the row of a later letter to the first guess?"},
    ),
    "higher-derivatives/1": Question(
        "Number of steps:",
        1,
        "Newton's method goes to the lowest point of the parabola that fits f. Which function fits f here?",
        {2: "Put the gradient Ap − b and the Hessian A into one step.", 0: "It starts at any point."},
    ),
    "higher-derivatives/2": Question(
        "The limit of |x|:",
        1.0885970,
        "At the limit, a step leads from x to exactly −x. Solve tanh x · cosh² x = 2x with a computer.",
        {1: "From 1.0 it converges. Try a little more.", 1.2: "From 1.2 it diverges. Try a little less."},
    ),
    "higher-derivatives/3": Question(
        "The distance:",
        math.sqrt(2),
        "Where is 1 + x² = 0 in the complex plane? How far is that from 1?",
        {1: "This is the distance from 0. The series is around 1.", 2: "Use Pythagoras: one step right, one step up."},
    ),
    "higher-derivatives/4": Question(
        "Each element of the Hessian is",
        0,
        "A relu net is a straight line, piece by piece. What is its slope's slope?",
        {1: "This may be a slope of relu. The Hessian has the slopes of slopes."},
    ),
    "from-scalars-to-vectors/1": Question(
        "Number of instructions:",
        1,
        "The places in w decrease by one each time. Is this regular?",
        {4: "Steps of −1 are as regular as steps of 1.", 7: "These are the equations."},
    ),
    "from-scalars-to-vectors/2": Question(
        "Number of instructions:",
        2,
        "Only equations of the same form become one instruction. How many forms are there?",
        {1: "The third neuron has another number of terms.", 3: "The first two neurons still have the same form."},
    ),
    "from-scalars-to-vectors/3": Question(
        "Number of programs:",
        3,
        "Each structure of arguments needs a program, and shapes belong to the structure.",
        {1: "A program is made for the shapes of its arguments.", 2: "It was called with m = 4, 40 and 400."},
    ),
    "from-scalars-to-vectors/4": Question(
        "Number of instructions:",
        14,
        "Count them: print the program after the change.",
        {13: "Count them: print the program.", 400: "A long sum becomes one instruction."},
    ),
}
