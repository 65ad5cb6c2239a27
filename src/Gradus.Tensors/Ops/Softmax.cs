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
}
