// The examples of the menu: an expression with its numbers, or lines for the cell; and the view that shows the point.

const lines = (...text) => text.join("\n");

export const EXAMPLES = {
  J: {
    title: "J = 3(a + bc)",
    expression: lines("u = b*c", "v = a + u", "J = 3*v"),
    numbers: "a=5 b=3 c=2",
  },
  neuron: {
    title: "A neuron",
    expression: lines("z = w1*x1 + w2*x2 + b", "a = sigmoid(z)"),
    numbers: "w1=0.5 w2=-1 b=0.1 x1=2 x2=1",
  },
  logistic: {
    title: "Logistic regression, two examples",
    cell: lines(
      "X, y = [[1.0, 2.0], [2.0, -1.0]], [1, 0]",
      'w, b = [ag.Value(0.5, "w1"), ag.Value(-0.25, "w2")], ag.Value(0.1, "b")',
      "losses = []",
      "for i, (x, target) in enumerate(zip(X, y), 1):",
      "    z = ag.dot(w, x, b)",
      "    a = ag.sigmoid(z)",
      "    loss = -ag.log(a) if target else -ag.log(1 - a)",
      '    z.label, a.label, loss.label = f"z({i})", f"a({i})", f"L({i})"',
      "    losses.append(loss)",
      "J = ag.mean(losses)",
      'J.label = "J"',
      "J.backward()",
      "J",
    ),
  },
  net: {
    title: "A two-layer net of sigmoids",
    cell: lines(
      "net = nn.two_layer_net(2, 2, rng=1)  # W1, b1, W2, b2, as in the text",
      "J = nn.cost(net, [[1.0, 2.0]], [1.0])",
      "J.backward()",
      "J",
    ),
  },
  softmax: {
    title: "Softmax",
    expression: lines("s = exp(z1) + exp(z2) + exp(z3)", "p1 = exp(z1)/s", "L = -log(p1)"),
    numbers: "z1=2 z2=1 z3=-1",
  },
  shared: {
    title: "A shared node",
    expression: lines("s = x*x", "y = s*s + s"),
    numbers: "x=3",
    tab: "paths",
    wrt: "x",
  },
  vanishing: {
    title: "A vanishing gradient",
    expression: lines(
      "a1 = sigmoid(w*x)",
      ...Array.from({length: 9}, (_, k) => `a${k + 2} = sigmoid(w*a${k + 1})`),
      "J = (a10 - y)**2",
    ),
    numbers: "w=0.5 x=1 y=1",
    tab: "blame",
    wrt: "x",
  },
  newton: {
    title: "Newton's step",
    cell: lines(
      'x = ag.Value(1.5, "x")',
      "f = x**2 - 2",
      'f.label = "f"',
      "slope = ag.gradient(f, x)  # a graph, too",
      "step = x - f/slope  # nearer to the root of 2",
      'step.label = "step"',
      "step.backward()",
      "step",
    ),
  },
  doublings: {
    title: "50 doublings: 10¹⁵ paths",
    expression: lines("y1 = x + x", ...Array.from({length: 49}, (_, k) => `y${k + 2} = y${k + 1} + y${k + 1}`)),
    numbers: "x=1",
    tab: "paths",
    wrt: "x",
  },
};
