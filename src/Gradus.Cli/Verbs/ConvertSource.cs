using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Files.Quantized;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary>What is converted: the files of a model with all that belongs to it, read from any format. Tensors are read when they are written.</summary>
/// <param name="config">The content of config.json.</param>
/// <param name="tensors">The tensors under transformers' names; closed with this.</param>
/// <param name="tokenizer">Its tokenizer, or null.</param>
/// <param name="generationConfig">The file of that name, or null.</param>
/// <param name="pooling">How a sentence encoder makes one vector of a text, or null.</param>
internal sealed class ConvertSource(
    JsonObject config, TensorFile tensors, Tokenizer? tokenizer, JsonObject? generationConfig = null, Pooling? pooling = null) : IDisposable
{
    /// <summary>How a model likes to be sampled, and what ends its answers.</summary>
    public const string GenerationConfigFile = "generation_config.json";

    /// <summary>The content of config.json, as the source has it.</summary>
    public JsonObject Config => config;

    /// <summary>The tensors under transformers' names.</summary>
    public TensorFile Tensors => tensors;

    /// <summary>Its tokenizer, or null.</summary>
    public Tokenizer? Tokenizer => tokenizer;

    /// <summary>generation_config.json, or null.</summary>
    public JsonObject? GenerationConfig => generationConfig;

    /// <summary>How a sentence encoder makes one vector of a text, or null.</summary>
    public Pooling? Pooling => pooling;

    /// <summary>The class of the model.</summary>
    public string Architecture => Known is { } known ? known.Architecture : ((config["architectures"] as JsonArray)?.FirstOrDefault() as JsonValue)?.ToString() ?? Architectures.TypeOf(config) ?? "unknown";

    /// <summary>The hyperparameters, or null where this program converts an architecture that it cannot run.</summary>
    public ModelConfig? Known => Architectures.TypeOf(config) is { } type && Architectures.ModelTypes.Contains(type) ? Architectures.Parse(config, tensors.Path) : null;

    /// <summary>The type that most of the stored bytes have; F32 for packed ones.</summary>
    public DType StoredType => tensors.Entries
        .GroupBy(e => e.Packed is null && e.DType is DType.BF16 or DType.F16 ? e.DType : DType.F32)
        .MaxBy(g => g.Sum(e => e.ByteLength))?.Key ?? DType.F32;

    /// <summary>Opens a path.</summary>
    /// <param name="path">A model's folder, a run's, an adapter's, a file, or a model's name on the hub.</param>
    /// <param name="tokenizer">Where the tokenizer is, or null to look beside the model.</param>
    /// <param name="baseModel">The base model of an adapter, where it is not the one that the adapter names; else null.</param>
    /// <param name="cancel">Stops a download.</param>
    /// <exception cref="UsageException">There is nothing at the path that is read here.</exception>
    /// <exception cref="InvalidDataException">A file is broken, or the files do not belong together.</exception>
    public static ConvertSource Open(string path, string? tokenizer, string? baseModel = null, CancellationToken cancel = default)
    {
        Tokenizer? given = tokenizer is null ? null : TokenizerVerb.Open(tokenizer);
        if (File.Exists(path) && !GgufModel.IsGguf(path))
            return OpenFile(path, given);
        if (Directory.Exists(path) && !ModelFolder.IsModel(path) && Llama2cModels.FindIn(path) is { } file)
            return OpenFile(file, given);
        ModelLocation location = ModelFolder.Find(path, baseModel, cancel);
        given ??= location.TryOpenTokenizer();
        if (location.Adapter is not null)
            return OpenMerged(location, given);
        if (GgufModel.IsGguf(location.Folder))
        {
            GgufModel model = GgufModel.Open(location.Folder);
            return new ConvertSource(model.Config, model.Tensors, given, model.GenerationConfig(), model.Pooling);
        }
        JsonObject config = Checkpoint.ReadObject(Path.Combine(location.Folder, Checkpoint.ConfigFile));
        string generation = Path.Combine(location.Folder, GenerationConfigFile);
        TensorFile tensors = Checkpoint.OpenTensors(location.Folder);
        config.Remove(QuantizedCheckpoint.ConfigKey);
        return new ConvertSource(config, tensors, given, File.Exists(generation) ? Checkpoint.ReadObject(generation) : null, SentencePooling.Find(location.Folder));
    }

    /// <summary>The tensors to write, each under its name: those of the model where it is known, and all otherwise.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, or belongs to another model; the message names it.</exception>
    public IReadOnlyList<(string Name, TensorEntry Entry)> Match() =>
        Known is { } known ? Checkpoint.Match(known, tensors) : [.. tensors.Entries.Select(e => (e.Name, e))];

    /// <summary>Closes the files.</summary>
    public void Dispose() => tensors.Dispose();

    /// <summary>An adapter's base model with the adapter in its weights.</summary>
    /// <param name="location">The two.</param>
    /// <exception cref="InvalidDataException">A file is broken, or the adapter cannot be merged.</exception>
    public static ConvertSource OpenMerged(ModelLocation location) => OpenMerged(location, location.TryOpenTokenizer());

    // What ends a text of the base model, and of the adapter, which may have learned to end in another way.
    private static JsonObject? MergedGeneration(ModelLocation location)
    {
        JsonObject[] files = [.. new[] { location.Folder, location.Adapter! }.Where(Directory.Exists).Select(f => Path.Combine(f, GenerationConfigFile)).Where(File.Exists).Select(Checkpoint.ReadObject)];
        if (files.Length == 0)
            return null;
        int[] ends = [.. new SortedSet<int>(files.SelectMany(f => Numbers(f["eos_token_id"])))];
        JsonObject merged = (JsonObject)files[0].DeepClone();
        foreach ((string key, JsonNode? value) in files[^1])
            merged[key] = value?.DeepClone();
        if (ends.Length > 0)
            merged["eos_token_id"] = ends.Length == 1 ? ends[0] : new JsonArray([.. ends.Select(e => (JsonNode)e)]);
        return merged;
    }

    private static IEnumerable<int> Numbers(JsonNode? node) => node switch
    {
        JsonArray list => list.SelectMany(Numbers),
        JsonValue value when value.TryGetValue(out int id) => [id],
        _ => [],
    };

    private static ConvertSource OpenMerged(ModelLocation location, Tokenizer? tokenizer)
    {
        // An adapter is merged in f32, or its small changes would be lost in the rounding.
        LanguageModel model = Checkpoint.Load(location.Folder, CpuDevice.Default);
        try
        {
            using (ModelAdapter adapter = PeftFolder.Load(location.Adapter!, model))
                adapter.Merge();
            return new ConvertSource(Architectures.ToJson(model.Config), new ParameterFile(location.Adapter!, model), tokenizer, MergedGeneration(location));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static ConvertSource OpenFile(string path, Tokenizer? tokenizer)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        TensorFile file = TensorFile.Open(path);
        try
        {
            if (file is Llama2cFile llama)
                return new ConvertSource(llama.Config, llama, tokenizer ?? Llama2cModels.FindTokenizer(path, (int)llama.Config["vocab_size"]!));
            if (!File.Exists(Path.Combine(folder, Checkpoint.ConfigFile)))
                throw new UsageException($"{path}: there is no {Checkpoint.ConfigFile} beside it, which says what the tensors mean; put it there.");
            JsonObject config = Checkpoint.ReadObject(Path.Combine(folder, Checkpoint.ConfigFile));
            return new ConvertSource(config, file, tokenizer ?? new ModelLocation(folder).TryOpenTokenizer());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
