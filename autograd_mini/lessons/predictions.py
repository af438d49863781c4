"""The questions that the lessons ask before they show a number."""

from __future__ import annotations

from typing import Final

from .question import Question

COMPUTATION_GRAPH: Final = {
    "growth": Question(
        "b grows by 0.001. By how much does J grow?",
        0.006,
        "Subtract the first number from the second.",
        {
            6: "This is the derivative: the growth of J divided by the growth of b.",
            0.001: "This is the growth of b. How much does J grow?",
            -0.006: "The size is right, the sign is not: take the second number minus the first.",
        },
    ),
    "dJ-dc": Question(
        "dJ/dc =",
        9,
        "Multiply the three numbers on the arrows from c to u, from u to v and from v to J.",
        {
            6: "This is dJ/db. Start at c.",
            3: "A factor is missing: there are three arrows from c to J.",
            7: "Multiply the numbers on the arrows, do not add them.",
            2: "This is the value of c.",
        },
    ),
    "shared": Question(
        "dJ/dx =",
        16,
        "Add the products along both paths from x to J.",
        {
            8: "This is dJ/du. One more arrow leads from u back to x.",
            6: "This is the path through p alone. The other path counts, too.",
            10: "This is the path through q alone. The other path counts, too.",
            30: "Multiply along each path, but add the paths.",
        },
    ),
    "work": Question(
        "In forward mode the number of multiplications grows by a factor of about",
        "4",
        "Compare the rows of 2 and 4 layers.",
        {
            "2": "This is the factor of reverse mode. Forward mode has one pass for each parameter.",
            "16": "Compare the rows of 2 and 4 layers: is the second number 16 times the first?",
        },
        ("2", "4", "16"),
    ),
}

ONE_NEURON: Final = {
    "z": Question(
        "z =",
        0,
        "Compute 1 · 1 + 0.5 · 5, and add the bias.",
        {3.5: "The bias is missing.", 7: "The bias is negative.", 2.5: "This is 6 − 3.5: did you forget w₂?"},
    ),
    "a": Question(
        "a =",
        0.5,
        "Look for your z on the horizontal axis, go up to the curve, and read a on the vertical axis.",
        {0: "This is z. The sigmoid is never 0.", 1: "The sigmoid is never 1."},
    ),
    "loss": Question(
        "L =",
        0.6931471805599453,
        "With y = 0 only −log(1 − a) is left.",
        {
            -0.6931471805599453: "Do not forget the minus sign before the brackets.",
            0.30102999566398120: "This is the logarithm of base 10. Take the natural logarithm.",
            0.5: "Take the logarithm of 1 − a.",
            0: "The loss is 0 only if the answer is certain and right.",
        },
    ),
    "dw2": Question(
        "dw₂ =",
        2.5,
        "dw₂ is the second input times the error.",
        {
            -2.5: "The size is right, the sign is not: the error is a − y.",
            0.5: "This is dz, and also dw₁. Multiply by the second input.",
            0.625: "The factor a(1 − a) is already in dz = a − y.",
        },
    ),
    "boundary": Question(
        "Hours of sleep on the boundary:",
        4,
        "Solve 1 · 1.5 + 0.5 · x₂ − 3.5 = 0.",
        {2: "Divide by w₂, which is 0.5.", 1: "Divide by w₂, do not multiply by it.", 10: "The bias is −3.5."},
    ),
    "step": Question(
        "w after the first step:",
        0.3,
        "Subtract α times the derivative from 0. You find both numbers above.",
        {
            -0.3: "Subtract a negative number: w grows.",
            0.6: "Multiply the derivative by α.",
            -0.6: "This is the derivative. The step is −α times it.",
        },
    ),
}

TWO_LAYER_NET: Final = {
    "parameters": Question(
        "Number of parameters:",
        13,
        "Count the weights and the biases of both layers.",
        {
            9: "These are the weights. The biases are learned, too.",
            4: "These are the biases. The weights are learned, too.",
            6: "These are the weights of the first layer.",
            8: "This is the first layer. There is a second one.",
            12: "The output neuron has a bias, too.",
        },
    ),
    "dz2": Question(
        "dz of the output neuron =",
        "a - y",
        "Multiply −y/a + (1 − y)/(1 − a) by a(1 − a), and cancel.",
        {
            "y - a": "The size is right, the sign is not. Test it with y = 0: the loss grows with z.",
            "a(1 - a)": "This is the slope of the sigmoid alone. Multiply it by the derivative of the loss.",
            "2(a - y)": "There is no factor 2: the loss has no square.",
        },
        ("a - y", "y - a", "a(1 - a)", "2(a - y)"),
    ),
    "factors": Question(
        "Number of factors that follow:",
        3,
        "Write the nodes between z of the output and this weight. Each arrow is one factor.",
        {
            2: "An arrow is missing: from z to a in neuron 1, from a to the output, or from the weight to z.",
            1: "The weight is two neurons away from the loss, so there are several arrows.",
        },
    ),
    "dW1-numbers": Question(
        "How many numbers does dW of the first layer have?",
        6,
        "It has the shape of this layer's W: a row for each hidden neuron, a column for each input.",
        {9: "These are all weights of the net.", 3: "It is a matrix, not a column.", 2: "It is a matrix, not a row."},
    ),
    "mean": Question(
        "These get a factor 1/m:",
        "dw and db",
        "The mean over the examples is in J. Which of the six are derivatives of J, and which of one loss?",
        {
            "all six": "Column i of dZ is the derivative of the loss of example i alone.",
            "dz": "Column i of dZ is the derivative of the loss of example i alone.",
            "none": "J is a mean, so its derivatives with respect to the weights are means, too.",
        },
        ("dw and db", "dz", "all six", "none"),
    ),
    "line": Question(
        "Right answers of one neuron, about",
        "50 %",
        "Look at the petals: opposite petals have the same class, neighbours have different ones.",
        {
            "100 %": "Draw a straight line through the picture: points of both classes are on each side.",
            "90 %": "Draw a straight line through the picture: points of both classes are on each side.",
            "70 %": "The best line reaches this. But training makes the cost small, not the number of errors.",
        },
        ("50 %", "70 %", "90 %", "100 %"),
    ),
    "first-cost": Question(
        "The first cost:",
        0.6931471805599453,
        "All weights are nearly 0, so z is nearly 0. What is σ(0), and the log loss there?",
        {0.5: "This is the output. The cost is the mean log loss.", 0: "The loss is 0 only for perfect answers."},
    ),
    "hidden-boundary": Question(
        "The boundary of one hidden neuron is",
        "a straight line",
        "A hidden neuron is one neuron with two inputs: see lesson 02.",
        {"a curve": "σ(z) = ½ where z = 0. Is z curved in the inputs?", "a circle": "z has no squares of the inputs."},
        ("a straight line", "a curve", "a circle"),
    ),
}

RANDOM_INITIALISATION: Final = {
    "zeros": Question(
        "J =",
        0.6931471805599453,
        "Each z is 0. What is σ(0), and the log loss there?",
        {0: "The loss is 0 only for perfect answers.", 0.5: "This is the output. The cost is the mean log loss."},
    ),
    "rows": Question(
        "The four rows differ",
        "not at all",
        "Compare two hidden neurons: do they ever get different numbers?",
        {"a little": "What could make the first difference?", "a lot": "What could make the first difference?"},
        ("not at all", "a little", "a lot"),
    ),
    "halves": Question(
        "From 0.5, the neurons",
        "stay equal",
        "Go through the proof. Which step uses the value 0?",
        {"become different": "The proof needs equal weights, and not zeros."},
        ("stay equal", "become different"),
    ),
    "tiny": Question(
        "In 600 steps the cost",
        "stays high",
        "The neurons are different, but only by 1e-10. How long does it take until the difference matters?",
        {
            "falls as before": "Each difference grows by a factor, and here it starts 100 million times smaller.",
            "rises": "Each step is small and goes downhill.",
        },
        ("stays high", "falls as before", "rises"),
    ),
    "factor": Question(
        "The factor of each layer:",
        0.05477225575051661,
        "Use Var z = n v E a² with n = 30 and v = 0.01², and take the square root.",
        {
            0.003: "This is the factor of the variance. The size is its square root.",
            0.01: "A neuron adds 30 products.",
            0.3: "The 30 products have random signs, so their sum grows with √30.",
        },
    ),
}

WHEN_GRADIENTS_GO_WRONG: Final = {
    "overwrite": Question(
        "This pass gives dJ/da =",
        3,
        "Which contribution reaches a last? J comes first, then p.",
        {
            4: "This is the right derivative. With = only one contribution is left.",
            1: "This contribution comes first and is overwritten.",
        },
    ),
    "as-they-come": Question(
        "This pass gives dJ/db =",
        2,
        "The pass visits p before q. Which derivative does p have at that time?",
        {
            8: "This is the right derivative: 4 · a. p does not have the 4 yet when it is visited.",
            6: "This is the late contribution alone. Which one is in time?",
        },
    ),
    "zero-grad": Question(
        "They first differ at step",
        1,
        "A row has w and the derivative. What is left in w.grad from the step before?",
        {0: "Before the first step nothing is left to forget.", 2: "Look at the derivative, not only at w."},
    ),
    "swapped": Question(
        "With the bug, dJ/dŷ =",
        -4,
        "Compute d, then dJ/dd = 2d, and multiply by the number on the arrow from ŷ.",
        {4: "This is the right derivative.", 2: "dJ/dd is 2d, and d is used twice.", -2: "dJ/dd is 2d."},
    ),
    "rises": Question(
        "The cost",
        "rises",
        "Each step goes against the derivative. Here its sign is wrong.",
        {"falls": "It falls with the right sign.", "swings": "That is bug 3."},
        ("falls", "rises", "swings"),
    ),
    "squared": Question(
        "Squared error: dJ/dz is about",
        "0",
        "One of its factors is a(1 − a).",
        {"1": "This is the log loss.", "40": "This is z."},
        ("0", "1", "40"),
    ),
    "log-loss": Question(
        "Log loss: dJ/dz is about",
        "1",
        "Differentiate log(1 + exp(z)): this is σ(z).",
        {"0": "Large and small factors cancel here.", "40": "This is z, and nearly the loss itself."},
        ("0", "1", "40"),
    ),
    "log-0": Question(
        "dJ/dz is printed as",
        "nan",
        "u = 1 − a is 0. Which numbers are on the arrows into J and into a?",
        {
            "0": "One factor is 0, but another one is infinite.",
            "-1": "This is the value on paper.",
            "inf": "∞ · 0 is not ∞.",
        },
        ("-1", "0", "inf", "nan"),
    ),
}

A_GPT_IN_SCALARS: Final = {
    "logit": Question(
        "The derivative with respect to z₂:",
        -0.7552715289452023,
        "It is the guess minus the truth. The second token came.",
        {
            0.24472847105479764: "This is p₂, the guess. Subtract the truth.",
            0.7552715289452023: "The size is right, the sign is not.",
        },
    ),
    "evenly": Question(
        "The loss of this guess:",
        2.9444389791664403,
        "There are 19 tokens. Which probability does each get? Take −log of it.",
        {0.05263157894736842: "This is the probability. Take −log of it.", 19: "This is the number of tokens."},
    ),
    "length": Question(
        "The first number for x = (30, 40):",
        0.8485281374238570,
        "Divide 30 by the root of the mean of the squares.",
        {8.48528137423857: "The divisor grows with x.", 0.6: "The mean is over two squares: divide by 2 first."},
    ),
    "score": Question(
        "The derivative with respect to s₂ is",
        "negative",
        "The value of place 2 is −1. Is o larger or smaller than that?",
        {"positive": "A larger share of −1 moves o towards −1.", "0": "o is not −1, so it moves."},
        ("positive", "0", "negative"),
    ),
    "rows": Question(
        "Rows with a derivative:",
        4,
        "Which tokens does the net see? Count each only once.",
        {
            3: "The dot before the name is a token, too.",
            5: "The dot is counted twice.",
            19: "A row that is not used gets no derivative.",
        },
    ),
    "nodes": Question(
        "Nodes with ag.dot:",
        8,
        "Each row of the matrix is one sum of products.",
        {
            64: "These are the products. ag.dot makes one node of a whole row.",
            120: "This is the number without ag.dot.",
            1: "Each row has its own result.",
        },
    ),
    "last-letter": Question(
        "Most names end with",
        "a",
        "Look at the list of names.",
        {"e": "Count the names that end with e.", "n": "Count the names that end with n."},
        ("a", "e", "n"),
    ),
}

HIGHER_DERIVATIVES: Final = {
    "zero": Question(
        "The lowest order of a derivative of x³ that is 0 everywhere:",
        4,
        "Each derivative lowers the power by one.",
        {3: "The third derivative is the constant 6.", 2: "The second derivative is 6x."},
    ),
    "tanh": Question(
        "The second derivative of tanh is 0 at x =",
        0,
        "Where is the first derivative largest?",
        {1: "Where is tanh steepest?"},
    ),
    "sine": Question(
        "The coefficient of t³:",
        -1 / 6,
        "Take the third derivative of sin at 0, and divide by 3!.",
        {1 / 6: "The size is right, the sign is not.", -1: "Divide by 3!.", -1 / 3: "3! is 1 · 2 · 3."},
    ),
    "newton": Question(
        "With each step, the number of correct digits",
        "doubles",
        "The next error is about the square of the error.",
        {"grows by 1": "That would be an error that shrinks by a constant factor."},
        ("grows by 1", "doubles", "stays"),
    ),
    "well": Question(
        "From 0.4 it goes to",
        0,
        "Compute f″(0.4) = 12 · 0.16 − 4. What does its sign mean?",
        {1: "This is the nearest minimum. Compute f″(0.4) first.", -1: "It looks for any point with slope 0."},
    ),
    "hessian": Question(
        "The mixed derivative ∂²f/∂x∂y at (3, 2):",
        6,
        "Differentiate x²y with respect to x, and the result with respect to y.",
        {
            4: "This is the second derivative with respect to x.",
            0: "This is the second derivative with respect to y.",
            12: "This is ∂f/∂x.",
        },
    ),
    "saddle": Question(
        "The point is a",
        "saddle point",
        "Can J fall if the weights of both layers change together?",
        {
            "minimum": "Then the net could not learn at all from there.",
            "maximum": "J does not change if only the first layer changes.",
        },
        ("minimum", "maximum", "saddle point"),
    ),
}

FROM_SCALARS_TO_VECTORS: Final = {
    "equations": Question(
        "Number of equations:",
        7,
        "Count the products and the sums.",
        {4: "These are the products.", 8: "How many + signs stand between four products?", 3: "These are the sums."},
    ),
    "layer": Question(
        "Number of instructions of the layer:",
        1,
        "The three rows follow one another, and they share x.",
        {3: "The three dots have the same form, and can be one instruction.", 21: "These are the equations."},
    ),
    "grows": Question(
        "If m grows, there are more",
        "equations",
        "Each example adds operations. Does it add formulas?",
        {
            "instructions": "The formulas for all examples have the same length.",
            "both": "The formulas for all examples have the same length.",
        },
        ("equations", "instructions", "both"),
    ),
    "same-cost": Question(
        "The cost of the last epoch",
        "stays the same",
        "The program computes the same numbers.",
        {"rises": "The program computes the same numbers.", "falls": "The program computes the same numbers."},
        ("rises", "falls", "stays the same"),
    ),
    "branch": Question(
        "Does the next call, at −2, return −8?",
        "no",
        "The program remembers the condition x > 0.",
        {"yes": "Then its result would be wrong, without a warning. It remembers the condition x > 0."},
        ("yes", "no"),
    ),
    "mean-loss": Question(
        "The mean loss at the end:",
        1.26,
        "It is the same training as in lesson 07.",
        {3.399: "This is the loss at the start."},
    ),
}

BUILD_THE_ENGINE: Final = {
    "overwrite": Question(
        "The careless pass gives dJ/dx =",
        3,
        "Which contribution comes last? It is the only one that is left.",
        {
            7: "This is the right derivative. The careless pass overwrites.",
            1: "This contribution comes first, from J directly. The next one overwrites it.",
            6: "x·x passes two contributions, and the second overwrites the first.",
        },
    ),
    "order": Question(
        "This pass gives dJ/dx =",
        2,
        "The pass visits u before v. Which derivative does u have at that time?",
        {
            10: "This is the right derivative. u is visited too early for that.",
            8: "This is the late contribution alone.",
            1: "x is an operand of u twice.",
        },
    ),
    "twice": Question(
        "After the second call, w.grad =",
        12,
        "The line `parent.grad += ...` runs again, and w.grad was not 0.",
        {6: "This is the right derivative. But what was in w.grad before the second call?", 3: "This is w."},
    ),
    "same": Question(
        "The last costs differ by",
        "0 or a rounding error",
        "Both engines do the same operations in the same order.",
        {"about 1 %": "Both engines do the same operations.", "more than 10 %": "Both engines do the same operations."},
        ("0 or a rounding error", "about 1 %", "more than 10 %"),
    ),
}

LESSONS: Final = {
    "computation-graph": COMPUTATION_GRAPH,
    "one-neuron": ONE_NEURON,
    "two-layer-net": TWO_LAYER_NET,
    "random-initialisation": RANDOM_INITIALISATION,
    "build-the-engine": BUILD_THE_ENGINE,
    "when-gradients-go-wrong": WHEN_GRADIENTS_GO_WRONG,
    "a-gpt-in-scalars": A_GPT_IN_SCALARS,
    "higher-derivatives": HIGHER_DERIVATIVES,
    "from-scalars-to-vectors": FROM_SCALARS_TO_VECTORS,
}

PREDICTIONS: Final = {f"{lesson}/{name}": q for lesson, questions in LESSONS.items() for name, q in questions.items()}
