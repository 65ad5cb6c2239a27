using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Adapters;

/// <summary>How the matrices of LoRA start out; in files true, false or a name.</summary>
[JsonConverter(typeof(FlagOrWordConverter<LoraInit>))]
public sealed record LoraInit : IFlagOrWord<LoraInit>
{
    private LoraInit(string name)
    {
        Name = name;
    }

    /// <summary>A even in ±1/√in, B zero: the adapted model begins as the base model.</summary>
    public static LoraInit Default { get; } = new("true");

    /// <summary>A and B both random: for tests, since the model then begins elsewhere.</summary>
    public static LoraInit Random { get; } = new("false");

    /// <summary>A normal with deviation 1/r, B zero.</summary>
    public static LoraInit Gaussian { get; } = new("gaussian");

    /// <summary>A and B random, but with B·A = 0: the rows of A and the columns of B stand for orthogonal directions. r must be even.</summary>
    public static LoraInit Orthogonal { get; } = new("orthogonal");

    /// <summary>A the main directions of what the layer reads, B zero (Paischer et al., "Explained Variance Adaptation", 2024).</summary>
    public static LoraInit Eva { get; } = new("eva");

    /// <summary>The largest singular values of the weight, which the adapter takes over from it (Meng et al., "PiSSA", 2024).</summary>
    public static LoraInit Pissa { get; } = new("pissa");

    /// <summary>The first columns of the weight's QR decomposition, which the adapter takes over from it (Büyükakyüz, "OLoRA", 2024).</summary>
    public static LoraInit Olora { get; } = new("olora");

    /// <summary>What quantizing the weight loses (Li et al., "LoftQ", 2023): the layers are quantized to NF4, the adapter makes up for it.</summary>
    public static LoraInit Loftq { get; } = new("loftq");

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<LoraInit> All { get; } = [Default, Random, Gaussian, Orthogonal, Eva, Pissa, Olora, Loftq];

    /// <summary>What files call it.</summary>
    public string Name { get; }

    /// <summary>Whether the weight gives up what A and B start out with, so that the adapter alone is not what was learned.</summary>
    internal bool TakesFromBase => this == Pissa || this == Olora || this == Loftq;

    /// <summary>The start of a name.</summary>
    /// <exception cref="JsonException">There is none of this name.</exception>
    public static LoraInit Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        // PEFT's fast variants of PiSSA approximate what is exact here.
        string known = name.StartsWith("pissa_niter_", StringComparison.Ordinal) && int.TryParse(name["pissa_niter_".Length..], out _) ? Pissa.Name : name;
        return IFlagOrWord<LoraInit>.Among(All, known);
    }
}

/// <summary>How LoftQ quantizes (Li et al., 2023).</summary>
/// <param name="LoftqBits">Bits of a weight; 4, which means NF4.</param>
/// <param name="LoftqIter">How often weight and factors are fitted to each other in turn, ≥ 1.</param>
public sealed record LoftqConfig(int LoftqBits = 4, int LoftqIter = 1);
