namespace Gradus.Tensors;

/// <summary>How matrix products treat their operands. Sums are F32 in every case, and so are stored activations and master weights.</summary>
public enum Precision
{
    /// <summary>Operands as they are.</summary>
    F32,

    /// <summary>Operands rounded to bfloat16 (nearest even); twice to sixteen times as fast where the machine has matrix units.</summary>
    BF16,

    /// <summary>What the device multiplies faster (<see cref="Device.FastPrecision"/>): BF16 with instructions for it, F32 without.</summary>
    Auto,
}
