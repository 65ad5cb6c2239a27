namespace Gradus.Tensors;

/// <summary>
/// The record of a computation, for reverse-mode differentiation. Operations add a <see cref="Node"/> when one of their inputs
/// needs a gradient; <see cref="Backward(Tensor)"/> walks the nodes from last to first.
/// </summary>
/// <remarks>
/// Activations and their gradients are released as soon as the walk has passed the operation that made them, so memory falls
/// while it runs. After it only parameters' gradients, and gradients of tensors that no operation made, remain.
/// </remarks>
public sealed class Tape
{
    private readonly List<Node> _nodes = [];

    internal Tape(Workspace workspace)
    {
        Workspace = workspace;
    }

    /// <summary>The workspace whose operations are recorded.</summary>
    public Workspace Workspace { get; }

    /// <summary>The number of recorded operations.</summary>
    public int Count => _nodes.Count;

    /// <summary>Adds an operation: <paramref name="node"/> knows how to pass the gradient of <paramref name="output"/> on to its inputs.</summary>
    public void Record(Tensor output, Node node)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(node);
        node.Output = output;
        output.NeedsGradient = true;
        output.Maker = node;
        _nodes.Add(node);
    }

    /// <summary>Marks a tensor that no operation made (an input) so that its gradient is computed.</summary>
    public static void Watch(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        input.NeedsGradient = true;
    }

    /// <summary>Computes d loss / d p for everything the loss depends on.</summary>
    /// <param name="loss">A tensor of one element that this tape recorded.</param>
    public void Backward(Tensor loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (loss.Count != 1)
            throw new ArgumentException($"Backward: the loss must have one element, but it is {loss}; sum or average it.", nameof(loss));
        Tensor one = Workspace.Empty(loss.Shape);
        one.Span()[0] = 1f;
        Backward(loss, one);
    }

    /// <summary>Passes a given gradient of an output on to everything it depends on.</summary>
    /// <param name="output">A tensor this tape recorded.</param>
    /// <param name="gradient">Its gradient, of the same shape; consumed.</param>
    public void Backward(Tensor output, Tensor gradient)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(gradient);
        if (!output.NeedsGradient)
            throw new InvalidOperationException("Backward: the output depends on nothing that needs a gradient; is a parameter trainable, and was the tape started before the forward pass?");
        output.AddGradient(gradient);
        for (int i = _nodes.Count - 1; i >= 0; i--)
        {
            Node node = _nodes[i];
            Tensor made = node.Output;
            if (made.Gradient is { } dy)
            {
                node.Backward(dy);
                made.ReleaseGradient();
            }
            if (made != output)
                made.Detach();
        }
        _nodes.Clear();
    }
}

/// <summary>One recorded operation: holds what the derivative needs, and passes the output's gradient on to the inputs.</summary>
public abstract class Node
{
    /// <summary>What the operation made.</summary>
    public Tensor Output { get; internal set; } = null!;

    /// <summary>Adds this operation's share to the gradients of its inputs (<see cref="Tensor.AddGradient"/>).</summary>
    /// <param name="dy">The gradient of <see cref="Output"/>; read only.</param>
    public abstract void Backward(Tensor dy);

    /// <summary>
    /// Where a matrix product that computes dy writes instead, if its epilogue can do this operation's share of the backward pass; else null.
    /// The operation then gets no dy from that product.
    /// </summary>
    /// <param name="slope">The epilogue.</param>
    internal virtual Tensor? ProductTarget(out Epilogue slope)
    {
        slope = default;
        return null;
    }
}
