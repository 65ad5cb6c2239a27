using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Tensors;

namespace Gradus.Files.Gguf;

/// <summary>
/// LoRA adapters in GGUF: <c>general.type</c> = adapter, <c>adapter.type</c> = lora, <c>adapter.lora.alpha</c>, and for each weight of the
/// base model its factors <c>NAME.weight.lora_a</c> (r, in) and <c>.lora_b</c> (out, r). llama.cpp scales by alpha/r; where PEFT scales
/// otherwise (rank stabilization, patterns of alpha), that is multiplied into B. Source: llama.cpp (convert_lora_to_gguf.py).
/// Left out, and refused: DoRA, biases, whole modules, embeddings and experts, for which llama.cpp has no form or another one.
/// </summary>
public sealed class GgufAdapter : IDisposable
{
    private const string Start = "base_model.model.", EndA = ".lora_A.weight", EndB = ".lora_B.weight";

    private GgufAdapter(JsonObject config, TensorFile tensors)
    {
        Config = config;
        Tensors = tensors;
    }

    /// <summary>The content of adapter_config.json.</summary>
    public JsonObject Config { get; }

    /// <summary>The tensors under PEFT's names; closed with this.</summary>
    public TensorFile Tensors { get; }

    /// <summary>Writes the adapter of a folder in PEFT's layout.</summary>
    /// <param name="stream">Where to; stays open.</param>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="baseConfig">The content of the base model's config.json.</param>
    /// <exception cref="InvalidDataException">It is no LoRA adapter of that model, or has parts that GGUF does not store; the message names them.</exception>
    public static void Write(Stream stream, string folder, JsonObject baseConfig)
    {
        ArgumentNullException.ThrowIfNull(baseConfig);
        if (PeftFolder.ReadConfig(folder) is not LoraConfig { UseDora: false, Bias: LoraBias.None } lora || lora.ModulesToSave is { Count: > 0 } || lora.InitLoraWeights?.TakesFromBase == true || lora.TrainableTokenIndices is not null)
            throw new InvalidDataException($"{folder}: GGUF stores plain LoRA adapters only (no DoRA, biases, whole modules or other methods); merge this one into its model.");
        HyperParameters config = new(baseConfig, folder);
        GgufFamily family = GgufFamilies.OfCheckpoint(config);
        using TensorFile file = TensorFile.Open(folder);
        GgufMetadata metadata = new();
        metadata.Set("general.architecture", family.Architecture);
        metadata.Set("general.type", "adapter");
        metadata.Set("adapter.type", "lora");
        metadata.Set("adapter.lora.alpha", (float)lora.LoraAlpha);
        metadata.Set(GgufModel.ConfigKeyName, baseConfig.ToJsonString());
        List<(TensorEntry Entry, MappedTensor Source, float Factor)> tensors = Plan(file, family, config, lora);
        using MappedTensorFile mapped = MappedTensorFile.Create(file, tensors.Select(t => t.Source));
        Dictionary<string, float> factors = tensors.ToDictionary(t => t.Entry.Name, t => t.Factor, StringComparer.Ordinal);
        using GgufWriter writer = new(stream, metadata, [.. tensors.Select(t => t.Entry)], leaveOpen: true);
        writer.WriteAll((entry, to) =>
        {
            float[] values = new float[entry.Shape.Count];
            mapped.Read(mapped[entry.Name], values);
            foreach (ref float value in values.AsSpan())
                value *= factors[entry.Name];
            to.Write(entry.Name, values);
        });
    }

    /// <summary>Opens an adapter.</summary>
    /// <param name="path">The GGUF file.</param>
    /// <param name="baseConfig">The content of the base model's config.json; null where this program wrote the file, which notes it.</param>
    /// <exception cref="InvalidDataException">It is no LoRA adapter, or the base model is not known; the message says so.</exception>
    public static GgufAdapter Open(string path, JsonObject? baseConfig = null)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            if (!file.Values.TryGet("adapter.type", out string? type) || type != "lora" || !file.Values.TryGetNumber("adapter.lora.alpha", out double alpha))
                throw Malformed.File(path, "is not a LoRA adapter (adapter.type, adapter.lora.alpha); give one, or convert it as a model.");
            baseConfig ??= GgufModel.Noted(file) ?? throw Malformed.File(path, "does not say which base model it belongs to; give that one too.");
            HyperParameters config = new(baseConfig, path);
            GgufFamily family = GgufFamilies.OfFile(file.Values, path, config.Text("model_type"));
            Dictionary<string, int> ranks = new(StringComparer.Ordinal);
            List<MappedTensor> mapped = [];
            HashSet<string> used = new(StringComparer.Ordinal);
            foreach (GgufPlace place in GgufNames.Places(family, config).Where(p => p.Suffix == ".weight" && !p.IsExpert))
            {
                if (!file.TryGet($"{place.GgufName}.lora_a", out TensorEntry? a) || !file.TryGet($"{place.GgufName}.lora_b", out TensorEntry? b))
                    continue;
                string module = place.HuggingFaceNames[0][..^".weight".Length];
                TensorLayout layout = LayoutOf(place.Rule.FromGguf, b, path);
                mapped.Add(new MappedTensor(Start + module + EndA, TensorLayout.Same, a));
                mapped.Add(new MappedTensor(Start + module + EndB, layout, b));
                used.UnionWith([a.Name, b.Name]);
                ranks[module] = a.Shape.Rank == 2 && b.Shape.Rank == 2 && b.Shape[1] == a.Shape[0]
                    ? a.Shape[0]
                    : throw Malformed.Tensor(path, b.Name, $"of the shape {b.Shape} does not fit {a.Shape}.");
            }
            string[] unknown = [.. file.Entries.Select(e => e.Name).Where(n => !used.Contains(n))];
            if (unknown.Length > 0 || mapped.Count == 0)
                throw Malformed.File(path, $"{unknown.Length} tensors are no factors of weights of {family.ModelClass}: {string.Join(", ", unknown.Take(5).Select(Malformed.Quote))}.");
            return new GgufAdapter(Describe(ranks, alpha, family), MappedTensorFile.Create(file, mapped));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes the adapter as PEFT has it.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="baseModel">What adapter_config.json says about the base model, or null.</param>
    public void WriteFolder(AtomicFolder folder, string? baseModel = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        JsonObject config = (JsonObject)Config.DeepClone();
        config["base_model_name_or_path"] = baseModel;
        Checkpoint.WriteObject(folder, PeftFolder.ConfigFile, config);
        using SafetensorsWriter writer = new(folder.Create("adapter_model.safetensors"), Tensors.Entries.Select(e => new TensorEntry(e.Name, DType.F32, e.Shape)));
        writer.WriteAll((entry, to) =>
        {
            float[] values = new float[entry.Shape.Count];
            Tensors.Read(Tensors[entry.Name], values);
            to.Write(entry.Name, values);
        });
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => Tensors.Dispose();

    private static List<(TensorEntry Entry, MappedTensor Source, float Factor)> Plan(TensorFile file, GgufFamily family, HyperParameters config, LoraConfig lora)
    {
        List<(TensorEntry, MappedTensor, float)> planned = [];
        HashSet<string> used = new(StringComparer.Ordinal);
        foreach (GgufPlace place in GgufNames.Places(family, config).Where(p => p.Suffix == ".weight" && !p.IsExpert))
        {
            string module = place.HuggingFaceNames[0][..^".weight".Length];
            if (!file.TryGet(Start + module + EndA, out TensorEntry? a) || !file.TryGet(Start + module + EndB, out TensorEntry? b))
                continue;
            used.UnionWith([a.Name, b.Name]);
            float factor = (float)(lora.ScaleOf(module) * a.Shape[0] / lora.LoraAlpha);
            Add(place.GgufName + ".lora_a", TensorLayout.Same, a, 1);
            Add(place.GgufName + ".lora_b", LayoutOf(place.Rule.ToGguf, b, file.Path), b, factor);
        }
        string[] unknown = [.. file.Entries.Select(e => e.Name).Where(n => !used.Contains(n))];
        return unknown.Length == 0
            ? planned
            : throw Malformed.File(file.Path, $"{unknown.Length} tensors have no place in a GGUF adapter of {family.Architecture}: {string.Join(", ", unknown.Take(5).Select(Malformed.Quote))}.");

        void Add(string name, TensorLayout layout, TensorEntry source, float factor) =>
            planned.Add((new TensorEntry(name, DType.F32, source.Shape), new MappedTensor(name, layout, source), factor));
    }

    // B has the rows of the weight. PEFT gives the factors of a transposed weight the right way round already.
    private static TensorLayout LayoutOf(TensorLayout? weight, TensorEntry b, string path)
    {
        TensorLayout layout = weight is null || weight == TensorLayout.Transposed ? TensorLayout.Same : weight;
        return layout.KeepsRows && layout.Fits(b.Shape) ? layout : throw Malformed.Tensor(path, b.Name, $"of the shape {b.Shape} does not fit the weight of the base model.");
    }

    private static JsonObject Describe(Dictionary<string, int> ranks, double alpha, GgufFamily family)
    {
        int rank = ranks.Values.GroupBy(r => r).MaxBy(g => g.Count())!.Key;
        JsonObject patterns = [];
        // llama.cpp divides one alpha by the rank of each weight, as PEFT does where only the rank has a pattern.
        foreach ((string module, int other) in ranks.Where(r => r.Value != rank))
            patterns[System.Text.RegularExpressions.Regex.Escape(module)] = other;
        return new JsonObject
        {
            ["peft_type"] = "LORA",
            ["task_type"] = family.ModelClass.EndsWith("ForConditionalGeneration", StringComparison.Ordinal) ? "SEQ_2_SEQ_LM" : "CAUSAL_LM",
            ["r"] = rank,
            ["lora_alpha"] = ConfigKey.Shortest(alpha) is var value && value == Math.Floor(value) ? (int)value : value,
            ["lora_dropout"] = 0.0,
            ["bias"] = "none",
            ["target_modules"] = new JsonArray([.. ranks.Keys.Order(StringComparer.Ordinal).Select(m => (JsonNode)m)]),
            ["rank_pattern"] = patterns,
            ["fan_in_fan_out"] = family.ModelType == "gpt2",
            ["inference_mode"] = true,
        };
    }
}
