namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>y = exp(x)/Σ exp(x) over the last axis.</summary>
    public Tensor Softmax() => Softmax(log: false);

    /// <summary>y = x − log Σ exp(x) over the last axis.</summary>
    public Tensor LogSoftmax() => Softmax(log: true);

    private Tensor Softmax(bool log)
    {
        Tensor y = Workspace.Empty(Shape);
        Device.Softmax(this, y, log);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new SoftmaxNode(this, log));
        return y;
    }

    // dx = y·(dy − Σ y·dy); of the logarithm: dx = dy − exp(y)·Σ dy.
    private sealed class SoftmaxNode(Tensor x, bool log) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.SoftmaxGradient(Output, dy, dx, log);
            x.AddGradient(dx);
        }
    }

    /// <summary>y = log Σ exp(x) over the last axis, one value for each row: (…, C) → (N).</summary>
    public Tensor LogSumExp()
    {
        Tensor y = Workspace.Empty(RowShape());
        Device.LogSumExp(this, y);
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new LogSumExpNode(this));
        return y;
    }

    // dx = exp(x − y)·dy: the softmax times the row's gradient.
    private sealed class LogSumExpNode(Tensor x) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.LogSumExpGradient(x, Output, dy, dx);
            x.AddGradient(dx);
        }
    }
}
