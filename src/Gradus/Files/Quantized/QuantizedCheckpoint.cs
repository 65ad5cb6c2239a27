using System.Text.Json.Nodes;
using Gradus.Files.Gguf;

namespace Gradus.Files.Quantized;

/// <summary>
/// Checkpoints whose linear layers are stored as integers with scales, as <c>quantization_config</c> of config.json says: bitsandbytes (NF4,
/// FP4 and LLM.int8()), GPTQ and AWQ. They are shown as the float weights that the integers stand for. Left out: Marlin and other orders of
/// single kernels, activations that are quantized too, FP8 and the rest of transformers' methods.
/// </summary>
public static class QuantizedCheckpoint
{
    /// <summary>The key of config.json.</summary>
    public const string ConfigKey = "quantization_config";

    private const string State = ".quant_state.bitsandbytes__";

    /// <summary>The tensors of a checkpoint as floats: the file itself where it is not quantized.</summary>
    /// <param name="file">The checkpoint; closed with the result.</param>
    /// <param name="config">The content of config.json.</param>
    /// <exception cref="InvalidDataException">The method is not read here, or tensors do not fit one another.</exception>
    public static TensorFile Open(TensorFile file, JsonObject config)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(config);
        if (new HyperParameters(config, file.Path).Below(ConfigKey) is not { } quantization)
            return file;
        try
        {
            return MappedTensorFile.Create(file, Map(file, quantization));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static List<MappedTensor> Map(TensorFile file, HyperParameters config)
    {
        string method = config.Text("quant_method") ?? (config.Has("load_in_4bit") || config.Has("load_in_8bit") ? "bitsandbytes" : "");
        return method switch
        {
            "bitsandbytes" => BitsAndBytes(file),
            "gptq" => Gptq(file, config),
            "awq" => Awq(file, config),
            _ => throw Malformed.File(config.Place, $"the method {Malformed.Quote(method)} is not read; bitsandbytes, gptq and awq are. Get the model without quantization."),
        };
    }

    private static List<MappedTensor> BitsAndBytes(TensorFile file)
    {
        List<MappedTensor> mapped = [];
        HashSet<string> used = new(StringComparer.Ordinal);
        foreach (TensorEntry entry in file.Entries)
        {
            int state = entry.Name.IndexOf(State, StringComparison.Ordinal);
            if (state > 0)
                Take(FourBitLayout.Create(file, entry.Name[..state], entry), entry.Name);
            else if (entry.Name.EndsWith(".SCB", StringComparison.Ordinal))
                Take(EightBitLayout.Create(file, entry.Name[..^4]), entry.Name[..^4] + ".weight_format");
        }
        return Rest(file, mapped, used);

        void Take(MappedTensor tensor, string also)
        {
            mapped.Add(tensor);
            used.UnionWith(tensor.Sources.Select(s => s.Name));
            used.Add(also);
        }
    }

    private static List<MappedTensor> Gptq(TensorFile file, HyperParameters config)
    {
        int bits = config.Size("bits"), groupSize = config.Integer("group_size") ?? -1;
        if (bits is not (2 or 3 or 4 or 8))
            throw Malformed.File(config.Place, $"bits is {bits}; GPTQ stores 2, 3, 4 or 8.");
        string format = config.Text("checkpoint_format") ?? "gptq";
        if (format is not ("gptq" or "gptq_v2"))
            throw Malformed.File(config.Place, $"checkpoint_format {Malformed.Quote(format)} is not read; gptq and gptq_v2 are.");
        // The first version stores zeros less one.
        int offset = format == "gptq" ? 1 : 0;
        return Stems(file, stem => GptqLayout.Create(file, stem, bits, groupSize, offset));
    }

    private static List<MappedTensor> Awq(TensorFile file, HyperParameters config)
    {
        int bits = config.Integer("bits") ?? config.Integer("w_bit") ?? 4, groupSize = config.Integer("group_size") ?? config.Integer("q_group_size") ?? 128;
        string version = config.Text("version") ?? "gemm";
        if (bits != 4 || !version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
            throw Malformed.File(config.Place, $"AWQ of the version {Malformed.Quote(version)} with {bits} bits is not read; gemm with 4 bits is.");
        return Stems(file, stem => AwqLayout.Create(file, stem, groupSize));
    }

    private static List<MappedTensor> Stems(TensorFile file, Func<string, MappedTensor> create)
    {
        const string Marker = ".qweight";
        List<MappedTensor> mapped = [.. file.Entries
            .Where(e => e.Name.EndsWith(Marker, StringComparison.Ordinal))
            .Select(e => create(e.Name[..^Marker.Length]))];
        HashSet<string> used = [.. mapped.SelectMany(m => m.Sources).Select(s => s.Name)];
        return Rest(file, mapped, used);
    }

    // Embeddings, norms and biases are stored as they are.
    private static List<MappedTensor> Rest(TensorFile file, List<MappedTensor> mapped, HashSet<string> used)
    {
        mapped.AddRange(file.Entries.Where(e => !used.Contains(e.Name)).Select(e => new MappedTensor(e.Name, TensorLayout.Same, e)));
        return mapped;
    }
}
