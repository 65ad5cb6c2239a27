namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>The gradient of the last backward pass, for parameters and for inputs that were watched; else null.</summary>
    public Tensor? Gradient => Owner is { } parameter ? parameter.Gradient : _gradient;

    /// <summary>Adds to this tensor's gradient. Does nothing where none is needed.</summary>
    /// <param name="gradient">As many values as this tensor has. It is consumed: its memory may become the gradient, or be freed.</param>
    public void AddGradient(Tensor gradient)
    {
        ArgumentNullException.ThrowIfNull(gradient);
        if (gradient.Count != Count)
            throw new ArgumentException($"AddGradient: the gradient {gradient.Shape} does not fit the tensor {Shape}.", nameof(gradient));
        if (!NeedsGradient)
        {
            gradient.Detach();
        }
        else if (Owner is { } parameter)
        {
            Tensor sum = parameter.GradientTarget(out bool accumulate);
            if (accumulate)
                Device.Axpy(1f, gradient, sum);
            else
                Device.Scale(gradient, 1f, sum);
            gradient.Detach();
        }
        else if (_gradient is null)
        {
            _gradient = Fits(gradient) ? gradient : Owned(gradient);
        }
        else if (_gradient.IsExclusive)
        {
            Device.Axpy(1f, gradient, _gradient);
            gradient.Detach();
        }
        else
        {
            // The present gradient is also somebody else's (a sum passes one gradient to both its inputs): leave it whole.
            Tensor sum = gradient.IsExclusive && Fits(gradient) ? gradient : Workspace.Empty(Shape);
            Device.Binary(BinaryOp.Add, _gradient, gradient, sum);
            _gradient.Detach();
            if (sum != gradient)
                gradient.Detach();
            _gradient = sum;
        }
    }

    private bool Fits(Tensor gradient) => gradient.Shape == Shape && gradient.Workspace == Workspace;

    // Derivatives read the axes of the gradient they are given, so it has exactly this tensor's; and it lives as long as this tensor.
    private Tensor Owned(Tensor gradient)
    {
        Tensor same = Workspace.Alias(gradient, Shape);
        gradient.Detach();
        return same;
    }

    /// <summary>
    /// The memory into which a kernel that can add writes this tensor's gradient, and whether it must add to what is there.
    /// </summary>
    internal Tensor GradientTarget(out bool accumulate)
    {
        if (Owner is { } parameter)
            return parameter.GradientTarget(out accumulate);
        accumulate = _gradient is not null;
        if (_gradient is { IsExclusive: false } shared)
        {
            _gradient = Workspace.Empty(Shape);
            Device.Scale(shared, 1f, _gradient);
            shared.Detach();
        }
        return _gradient ??= Workspace.Empty(Shape);
    }

    /// <summary>
    /// The memory into which a matrix product writes this tensor's gradient, whether it must add to what is there, and with which epilogue:
    /// past the activation that made this tensor, where nothing else has a say in the gradient of its input yet.
    /// </summary>
    internal Tensor GradientTarget(out bool accumulate, out Epilogue slope)
    {
        slope = default;
        if (_gradient is not null || Maker?.ProductTarget(out slope) is not { } input)
            return GradientTarget(out accumulate);
        accumulate = false;
        return input;
    }

    internal void ReleaseGradient()
    {
        _gradient?.Detach();
        _gradient = null;
    }
}
