using System.Diagnostics.CodeAnalysis;

namespace Gradus.Tensors.Packed;

/// <summary>The registry of block-quantized layouts.</summary>
public static class PackedFormats
{
    /// <summary>Every format, in order of their names.</summary>
    public static IReadOnlyList<PackedFormat> All { get; } =
    [
        new IQ4_NL(), new IQ4_XS(), new MXFP4(), new NF4(), new Q2_K(), new Q3_K(), new Q4_0(), new Q4_1(), new Q4_K(), new Q5_0(), new Q5_1(),
        new Q5_K(), new Q6_K(), new Q8_0(), new TQ1_0(), new TQ2_0(),
    ];

    /// <summary>Finds a format by name, in any case.</summary>
    public static bool TryGet(string name, [NotNullWhen(true)] out PackedFormat? format)
    {
        format = All.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return format is not null;
    }

    /// <summary>The format of a name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static PackedFormat Get(string name) => TryGet(name, out PackedFormat? format)
        ? format
        : throw new ArgumentException($"'{name}' is no packed format; there are {string.Join(", ", All)}.", nameof(name));
}
