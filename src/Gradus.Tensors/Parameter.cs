namespace Gradus.Tensors;

/// <summary>A named tensor of a model that may be trained. Gradients add up over micro-batches until <see cref="ClearGradient"/>.</summary>
public sealed class Parameter
{
    private Tensor? _gradient;
    private bool _trainable;

    /// <summary>Makes a parameter of a tensor that lives as long as the model.</summary>
    /// <param name="name">The dotted path under which checkpoints know it.</param>
    /// <param name="value">Its value; F32 if it is to be trained.</param>
    /// <param name="buffer">Whether it is stored with the model but never trained.</param>
    public Parameter(string name, Tensor value, bool buffer = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(value);
        Name = name;
        Value = value;
        IsBuffer = buffer;
        value.Owner = this;
    }

    /// <summary>The dotted path under which checkpoints know this parameter.</summary>
    public string Name { get; }

    /// <summary>The value.</summary>
    public Tensor Value { get; }

    /// <summary>Whether it is a constant that is stored with the model: training leaves it alone.</summary>
    public bool IsBuffer { get; }

    /// <summary>The axes of the value.</summary>
    public Shape Shape => Value.Shape;

    /// <summary>Whether training changes it; false at first. A read-only value is copied when it becomes trainable.</summary>
    /// <exception cref="InvalidOperationException">Set on a parameter that is not stored as F32.</exception>
    public bool Trainable
    {
        get => _trainable;
        set
        {
            if (value && Value.DType != DType.F32)
                throw new InvalidOperationException($"Parameter {Name} is stored as {Value.DType}; only F32 parameters can be trained. Load the model in F32.");
            if (value)
                Value.MakeWritable();
            _trainable = value;
            Value.NeedsGradient = value;
        }
    }

    /// <summary>The gradient (F32, the value's shape), or null before the first backward pass after <see cref="ClearGradient"/>.</summary>
    public Tensor? Gradient => HasGradient ? _gradient : null;

    /// <summary>Counts the changes of the value: packed copies that kernels keep are made anew when it moves on.</summary>
    public long Version { get; private set; }

    /// <summary>Copies of the value in the order that a device's kernels read, by how they are used; kept until the value changes.</summary>
    internal object?[] Packed { get; } = new object?[2];

    internal bool HasGradient { get; private set; }

    /// <summary>Forgets the gradient; its memory stays.</summary>
    public void ClearGradient() => HasGradient = false;

    /// <summary>The memory of the gradient, to be written whole: it counts as there from now on.</summary>
    public Span<float> OverwriteGradient() => GradientTarget(out _).Span();

    /// <summary>To be called after the value was written to.</summary>
    public void MarkChanged() => Version++;

    /// <summary>The memory of the gradient, and whether it already holds a sum to add to.</summary>
    internal Tensor GradientTarget(out bool accumulate)
    {
        accumulate = HasGradient;
        HasGradient = true;
        return _gradient ??= Value.Workspace.Empty(Value.Shape);
    }
}
