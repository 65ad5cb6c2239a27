namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = f(x), element by element.</summary>
    public Tensor Activate(Activation f)
    {
        if (f == Activation.Identity)
            return this;
        Tensor y = Workspace.Empty(Shape);
        Device.Activate(f, this, y);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new ActivateNode(f, this));
        return y;
    }

    // dx = dy·f′(x).
    private sealed class ActivateNode(Activation f, Tensor x) : Node
    {
        // Where a product computes dy, its epilogue gives dx at once, and there is no dy: two gradients of x add up in any case.
        internal override Tensor? ProductTarget(out Epilogue slope)
        {
            bool first = x is { NeedsGradient: true, Gradient: null };
            slope = first ? Epilogue.Slope(f, x) : default;
            return first ? x.GradientTarget(out _) : null;
        }

        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.ActivateGradient(f, x, dy, dx);
            x.AddGradient(dx);
        }
    }

    /// <summary>y = f(gate) · up, the gated linear units of Shazeer, "GLU Variants Improve Transformer" (2020): SwiGLU with SiLU, GeGLU with GELU.</summary>
    /// <param name="f">The gate's activation.</param>
    /// <param name="up">What is gated, of this tensor's shape.</param>
    public Tensor Gate(Activation f, Tensor up)
    {
        ArgumentNullException.ThrowIfNull(up);
        if (up.Shape != Shape)
            throw new ArgumentException($"Gate: the gate {Shape} and the value {up.Shape} differ in shape.", nameof(up));
        Workspace w = Workspace.Innermost(this, up);
        Tensor y = w.Empty(Shape);
        w.Device.Gate(f, this, up, y);
        if (w.Records(this, up))
            w.Tape!.Record(y, new GateNode(f, this, up));
        return y;
    }

    // dgate = dy·up·f′(gate), dup = dy·f(gate).
    private sealed class GateNode(Activation f, Tensor gate, Tensor up) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dGate = dy.Workspace.Empty(gate.Shape), dUp = dy.Workspace.Empty(up.Shape);
            dy.Device.GateGradient(f, gate, up, dy, dGate, dUp);
            gate.AddGradient(dGate);
            up.AddGradient(dUp);
        }
    }

    /// <summary>
    /// Zeroes each element with a probability and scales the others by 1/(1 − p) (Srivastava et al., 2014). Which ones is a
    /// function of the key and the element's index alone, so a recomputation drops the same.
    /// </summary>
    /// <param name="probability">0 ≤ p &lt; 1; with 0 the tensor itself is returned.</param>
    /// <param name="key">Names the place and the step (<see cref="CounterRandom.Derive(ulong, ulong)"/>).</param>
    public Tensor Dropout(float probability, ulong key)
    {
        if (!(probability >= 0 && probability < 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "The probability lies in [0, 1).");
        if (probability == 0)
            return this;
        Tensor y = Workspace.Empty(Shape);
        Device.Dropout(this, probability, key, y);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new DropoutNode(this, probability, key));
        return y;
    }

    // The same elements of dy are dropped, the others scaled alike.
    private sealed class DropoutNode(Tensor x, float probability, ulong key) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.Dropout(dy, probability, key, dx);
            x.AddGradient(dx);
        }
    }
}
