using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>The element types of GGUF tensors and their numbers. Source: ggml.h, enum ggml_type.</summary>
internal static class GgufType
{
    private static readonly Dictionary<uint, DType> Plain = new()
    {
        [0] = DType.F32,
        [1] = DType.F16,
        [24] = DType.I8,
        [25] = DType.I16,
        [26] = DType.I32,
        [27] = DType.I64,
        [28] = DType.F64,
        [30] = DType.BF16,
    };

    private static readonly Dictionary<uint, PackedFormat> Packed = new()
    {
        [2] = PackedFormats.Get("Q4_0"),
        [3] = PackedFormats.Get("Q4_1"),
        [6] = PackedFormats.Get("Q5_0"),
        [7] = PackedFormats.Get("Q5_1"),
        [8] = PackedFormats.Get("Q8_0"),
        [9] = new UndecodedFormat("Q8_1", 32, 36),
        [10] = PackedFormats.Get("Q2_K"),
        [11] = PackedFormats.Get("Q3_K"),
        [12] = PackedFormats.Get("Q4_K"),
        [13] = PackedFormats.Get("Q5_K"),
        [14] = PackedFormats.Get("Q6_K"),
        [15] = new UndecodedFormat("Q8_K", 256, 292),
        [16] = new UndecodedFormat("IQ2_XXS", 256, 66),
        [17] = new UndecodedFormat("IQ2_XS", 256, 74),
        [18] = new UndecodedFormat("IQ3_XXS", 256, 98),
        [19] = new UndecodedFormat("IQ1_S", 256, 50),
        [20] = PackedFormats.Get("IQ4_NL"),
        [21] = new UndecodedFormat("IQ3_S", 256, 110),
        [22] = new UndecodedFormat("IQ2_S", 256, 82),
        [23] = PackedFormats.Get("IQ4_XS"),
        [29] = new UndecodedFormat("IQ1_M", 256, 56),
        [34] = PackedFormats.Get("TQ1_0"),
        [35] = PackedFormats.Get("TQ2_0"),
        [39] = PackedFormats.Get("MXFP4"),
    };

    /// <summary>What a number stands for: a plain type or a packed format.</summary>
    public static bool TryGet(uint number, out DType plain, out PackedFormat? packed) =>
        Plain.TryGetValue(number, out plain) | Packed.TryGetValue(number, out packed);

    /// <summary>The number of a tensor's type, or false for a type that GGUF lacks.</summary>
    public static bool TryGetNumber(TensorEntry entry, out uint number)
    {
        foreach ((uint candidate, DType plain) in Plain)
        {
            if (entry.Packed is null && plain == entry.DType)
                return Is(candidate, out number);
        }
        foreach ((uint candidate, PackedFormat packed) in Packed)
        {
            if (entry.Packed?.Name == packed.Name)
                return Is(candidate, out number);
        }
        number = 0;
        return false;
    }

    private static bool Is(uint candidate, out uint number)
    {
        number = candidate;
        return true;
    }
}
