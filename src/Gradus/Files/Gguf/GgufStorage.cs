using System.Text.RegularExpressions;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files.Gguf;

/// <summary>
/// Which type each tensor of a GGUF file is stored in, by llama.cpp's rules: vectors, norms, routers and positions stay F32; a head is
/// given six bits at least; rows that are no whole number of blocks fall back to smaller blocks of about the same precision. Source:
/// llama.cpp (llama-quant.cpp, convert_hf_to_gguf.py). Left out: its mixtures of types (Q4_K_M and the like).
/// </summary>
public sealed class GgufStorage
{
    private static readonly string[] KeptNames = ["position_embd.weight", "token_types.weight", "_norm.weight", ".ffn_gate_inp.weight", ".attn_rel_b.weight"];

    // What stands in where rows are no multiple of 256: the same bits, or a little more, in blocks of 32.
    private static readonly Dictionary<string, string> SmallerBlocks = new()
    {
        ["Q2_K"] = "IQ4_NL",
        ["Q3_K"] = "IQ4_NL",
        ["IQ4_XS"] = "IQ4_NL",
        ["Q4_K"] = "Q5_0",
        ["Q5_K"] = "Q5_1",
        ["Q6_K"] = "Q8_0",
        ["TQ1_0"] = "Q4_0",
        ["TQ2_0"] = "Q4_0",
    };

    // The number of llama.cpp's enum llama_ftype for a file of mostly this type.
    private static readonly Dictionary<string, uint> FileTypes = new()
    {
        ["F32"] = 0,
        ["F16"] = 1,
        ["Q4_0"] = 2,
        ["Q4_1"] = 3,
        ["Q8_0"] = 7,
        ["Q5_0"] = 8,
        ["Q5_1"] = 9,
        ["Q2_K"] = 10,
        ["Q3_K"] = 12,
        ["Q4_K"] = 14,
        ["Q5_K"] = 16,
        ["Q6_K"] = 18,
        ["IQ4_NL"] = 25,
        ["IQ4_XS"] = 30,
        ["BF16"] = 32,
        ["TQ1_0"] = 36,
        ["TQ2_0"] = 37,
        ["MXFP4"] = 38,
    };

    private readonly DType _plain;
    private readonly PackedFormat? _packed;

    private GgufStorage(DType plain, PackedFormat? packed)
    {
        _plain = plain;
        _packed = packed;
    }

    /// <summary>Other types for tensors whose name in GGUF a pattern finds; the first that does counts, for heads too.</summary>
    public IReadOnlyList<(Regex Name, GgufStorage Storage)> Exceptions { get; private init; } = [];

    /// <summary>The same with other types for some tensors.</summary>
    /// <param name="exceptions">Patterns that are looked for in a tensor's name in GGUF, and the type of those they find.</param>
    public GgufStorage With(IReadOnlyList<(Regex Name, GgufStorage Storage)> exceptions) => new(_plain, _packed) { Exceptions = exceptions };

    /// <summary>The names of the types, in lower case.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. FileTypes.Keys.Select(k => k.ToLowerInvariant())];

    /// <summary>The name of the type, in upper case.</summary>
    public string Name => _packed?.Name ?? _plain.ToString().ToUpperInvariant();

    /// <summary>The number that <c>general.file_type</c> has for it.</summary>
    internal uint FileType => FileTypes[Name];

    /// <summary>Whether tensors are packed in blocks.</summary>
    internal bool IsPacked => _packed is not null || Exceptions.Any(e => e.Storage.IsPacked);

    /// <summary>The storage of a type.</summary>
    /// <param name="name">One of <see cref="Names"/>, in any case.</param>
    /// <exception cref="ArgumentException">There is no such type.</exception>
    public static GgufStorage Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string upper = name.ToUpperInvariant();
        if (!FileTypes.ContainsKey(upper))
            throw new ArgumentException($"{name}: no such type; known are {string.Join(", ", Names)}.", nameof(name));
        return PackedFormats.TryGet(upper, out PackedFormat? packed) ? new GgufStorage(DType.F32, packed) : new GgufStorage(Enum.Parse<DType>(upper), null);
    }

    /// <summary>How a tensor is stored.</summary>
    /// <param name="tensor">The tensor under its name in GGUF.</param>
    /// <param name="isHead">Whether it gives the logits.</param>
    internal TensorEntry Plan(TensorEntry tensor, bool isHead)
    {
        if (Exceptions.FirstOrDefault(e => e.Name.IsMatch(tensor.Name)).Storage is { } other)
            return other.Plan(tensor, isHead: false);
        if (tensor.Shape.Rank < 2 || KeptNames.Any(n => tensor.Name.EndsWith(n, StringComparison.Ordinal)))
            return new TensorEntry(tensor.Name, DType.F32, tensor.Shape);
        if (_packed is null)
            return new TensorEntry(tensor.Name, _plain, tensor.Shape);
        PackedFormat? format = isHead && BitsPerWeight(_packed) < BitsPerWeight(PackedFormats.Get("Q6_K")) ? PackedFormats.Get("Q6_K") : _packed;
        if (tensor.Shape.Columns % format.BlockSize != 0)
            format = SmallerBlocks.TryGetValue(format.Name, out string? smaller) && tensor.Shape.Columns % 32 == 0 ? PackedFormats.Get(smaller) : null;
        return format is null ? new TensorEntry(tensor.Name, DType.F16, tensor.Shape) : new TensorEntry(tensor.Name, format, tensor.Shape);
    }

    private static double BitsPerWeight(PackedFormat format) => 8.0 * format.BytesPerBlock / format.BlockSize;
}
