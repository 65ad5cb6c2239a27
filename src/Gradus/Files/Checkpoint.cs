using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Files.Gguf;
using Gradus.Files.Quantized;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Files;

/// <summary>
/// A model on disk in the layout of Hugging Face: <c>config.json</c>, <c>model.safetensors</c> (or shards), and the tokenizer's files
/// beside them.
/// </summary>
public static class Checkpoint
{
    /// <summary>The file of hyperparameters.</summary>
    public const string ConfigFile = "config.json";

    /// <summary>The file of tensors.</summary>
    public const string WeightsFile = "model.safetensors";

    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the hyperparameters of a checkpoint folder, or of a GGUF file.</summary>
    /// <exception cref="InvalidDataException">config.json is missing, broken or of an unknown architecture.</exception>
    public static ModelConfig ReadConfig(string folder)
    {
        if (GgufModel.IsGguf(folder))
        {
            using GgufModel model = GgufModel.Open(folder);
            return Architectures.Parse(model.Config, folder);
        }
        if (File.Exists(folder))
        {
            using Llama2cFile file = Llama2cFile.Open(folder);
            return Architectures.Parse(file.Config, folder);
        }
        return Architectures.Parse(ReadObject(Path.Combine(folder, ConfigFile)), Path.Combine(folder, ConfigFile));
    }

    /// <summary>Loads a model.</summary>
    /// <param name="folder">A folder in the Hugging Face layout, a GGUF file, or a llama2.c file.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="keepStoredType">
    /// Keep BF16 and F16 weights as they are, to be run or adapted but not trained, rather than widen them to F32. Weights that lie in a file as
    /// they are needed are then looked at there, memory-mapped, for as long as the model lives; one that becomes trainable is copied first.
    /// </param>
    /// <param name="keepPacked">Keep the matrices of linear layers and embedding tables in blocks where the file has them so, to be run or adapted, rather than unpack them.</param>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others; the message names file and tensor.</exception>
    public static LanguageModel Load(string folder, Device device, bool keepStoredType = false, bool keepPacked = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(device);
        if (GgufModel.IsGguf(folder))
        {
            using GgufModel gguf = GgufModel.Open(folder);
            return Load(Architectures.Parse(gguf.Config, folder), gguf.Tensors, device, keepStoredType, keepPacked);
        }
        if (File.Exists(folder))
        {
            using Llama2cFile llama = Llama2cFile.Open(folder);
            return Load(Architectures.Parse(llama.Config, folder), llama, device, keepStoredType, keepPacked);
        }
        if (!Directory.Exists(folder))
            throw new InvalidDataException($"{folder}: no such folder; give a folder that holds {ConfigFile} and {WeightsFile}.");
        ModelConfig config = ReadConfig(folder);
        using TensorFile file = OpenTensors(folder);
        return Load(config, file, device, keepStoredType, keepPacked);
    }

    /// <summary>Loads a model for another task than it was stored for: its body with the head of that task, to be trained.</summary>
    /// <param name="folder">A folder in the Hugging Face layout.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="architecture">The class of the task: BertForTokenClassification, LlamaForSequenceClassification.</param>
    /// <param name="labels">The classes to choose from; one for a reward model.</param>
    /// <param name="seed">What a head that is not stored is drawn from.</param>
    /// <exception cref="InvalidDataException">The architecture is not one of this model's, or the body is not whole.</exception>
    public static TaskModel LoadForTask(string folder, Device device, string architecture, LabelSet labels, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ModelConfig config = Architectures.ForTask(ReadConfig(folder), architecture, Path.Combine(folder, ConfigFile)) with { Labels = labels };
        using TensorFile file = OpenTensors(folder);
        return (TaskModel)Load(config, file, device, headSeed: seed);
    }

    /// <summary>Opens the tensors of a checkpoint folder under transformers' names; those of a quantized checkpoint as floats.</summary>
    /// <exception cref="InvalidDataException">A file is missing or broken, or quantized in a way that is not read here.</exception>
    public static TensorFile OpenTensors(string folder) => QuantizedCheckpoint.Open(TensorFile.Open(folder), ReadObject(Path.Combine(folder, ConfigFile)));

    /// <summary>Checks that a file has the tensors of a model, no others, and in the right shapes; values are not read.</summary>
    /// <returns>The tensors in the model's order, each under the name that the model has for it.</returns>
    /// <exception cref="InvalidDataException">It does not fit; the message names file and tensor.</exception>
    public static IReadOnlyList<(string Name, TensorEntry Entry)> Match(ModelConfig config, TensorFile file)
    {
        using Workspace store = new(CpuDevice.Default);
        CheckpointSource source = new(file, keepStoredType: true, readValues: false, tied: config.TiesHead);
        using LanguageModel model = Build(config, file, source, store);
        return [.. model.Parameters.Select(p => (p.Name, source.Find(p.Name)))];
    }

    /// <summary>Builds a model from its configuration and the tensors of a file.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="file">The tensors.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="keepStoredType">Keep BF16 and F16 weights as they are.</param>
    /// <param name="keepPacked">Keep the matrices of linear layers and embedding tables in blocks where the file has them so.</param>
    /// <param name="headSeed">What a task's head is drawn from where the file has none; null where it must have one.</param>
    /// <exception cref="InvalidDataException">The file does not fit the configuration.</exception>
    public static LanguageModel Load(ModelConfig config, TensorFile file, Device device, bool keepStoredType = false, bool keepPacked = false, ulong? headSeed = null)
    {
        Workspace store = new(device);
        try
        {
            return Build(config, file, new CheckpointSource(file, keepStoredType, keepPacked, headSeed: headSeed, tied: config.TiesHead), store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    private static LanguageModel Build(ModelConfig config, TensorFile file, CheckpointSource source, Workspace store)
    {
        LanguageModel model = Architectures.Build(config, new Scope(source, store));
        if (source.Unused.ToList() is { Count: > 0 } unused)
            throw new InvalidDataException($"{file.Path}: {unused.Count} tensors do not belong to this model: {string.Join(", ", unused.Take(5))}{(unused.Count > 5 ? ", …" : "")}; is {ConfigFile} the right one?");
        return model;
    }

    /// <summary>Draws a new model from a seed.</summary>
    public static LanguageModel Create(ModelConfig config, ulong seed, Device device)
    {
        Architectures.Check(config, "model");
        return Architectures.Build(config, new Scope(ParameterSource.Random(seed), new Workspace(device)));
    }

    /// <summary>Writes config.json and model.safetensors into a folder that is being written.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="model">The model; attached adapters are not written.</param>
    /// <param name="type">Type of the stored values: F32, BF16 or F16.</param>
    /// <exception cref="InvalidOperationException">A layer is quantized: this layout has no place for blocks.</exception>
    public static void Write(AtomicFolder folder, LanguageModel model, DType type = DType.F32)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(model);
        if (model.Parts.Linears.FirstOrDefault(l => l.Weight is PackedWeight) is { } packed)
            throw new InvalidOperationException($"{packed.Path} is quantized to {((PackedWeight)packed.Weight).Matrix.Format}, which {WeightsFile} cannot hold; write the model before it is quantized.");
        if (model.Parts.Embeddings.FirstOrDefault(e => e.Packed is not null) is { } table)
            throw new InvalidOperationException($"{table.Path} is quantized to {table.Packed!.Format}, which {WeightsFile} cannot hold; write the model before it is quantized.");
        WriteConfig(folder, Architectures.ToJson(model.Config), type);
        WriteTensors(folder.Create(WeightsFile), model.Parameters, type);
    }

    /// <summary>Writes config.json and model.safetensors from the tensors of another file, piece by piece.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="config">The content of config.json.</param>
    /// <param name="file">The file of the tensors.</param>
    /// <param name="tensors">The tensors to write, each under its new name.</param>
    /// <param name="type">Type of the stored values: F32, BF16 or F16.</param>
    /// <param name="maxShardBytes">The most bytes of data in one file; more become shards with an index.</param>
    /// <returns>The names of the files of tensors.</returns>
    /// <exception cref="InvalidDataException">A value is too large for F16; the message names the tensor.</exception>
    public static IReadOnlyList<string> Write(
        AtomicFolder folder, JsonObject config, TensorFile file, IReadOnlyList<(string Name, TensorEntry Entry)> tensors, DType type, long maxShardBytes = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(tensors);
        WriteConfig(folder, (JsonObject)config.DeepClone(), type);
        Dictionary<string, TensorEntry> byName = tensors.ToDictionary(t => t.Name, t => t.Entry, StringComparer.Ordinal);
        return SafetensorsShards.Write(
            folder,
            [.. tensors.Select(t => new TensorEntry(t.Name, type, t.Entry.Shape))],
            (entry, to) => file.Copy(byName[entry.Name], to, entry.Name, type == DType.F16 ? (values, count) => CheckRange(file.Path, entry.Name, values.AsSpan(0, count)) : null),
            maxShardBytes: maxShardBytes);
    }

    /// <summary>Writes parameters under their names as one safetensors file, and closes the stream.</summary>
    public static void WriteTensors(Stream stream, IEnumerable<Parameter> parameters, DType type = DType.F32) =>
        WriteTensors(stream, parameters.ToDictionary(p => p.Name, p => p.Value), type);

    /// <summary>Writes tensors under their names as one safetensors file, and closes the stream.</summary>
    public static void WriteTensors(Stream stream, IReadOnlyDictionary<string, Tensor> tensors, DType type = DType.F32)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        using SafetensorsWriter writer = new(stream, tensors.Select(t => new TensorEntry(t.Key, type, t.Value.Shape)));
        foreach (TensorEntry entry in writer.Entries)
        {
            Tensor value = tensors[entry.Name];
            if (value.DType == DType.F32)
            {
                writer.Write(entry.Name, value.Values());
            }
            else
            {
                using Workspace scratch = new(value.Device);
                writer.Write(entry.Name, scratch.Adopt(value).ToF32().Values());
            }
        }
        writer.Complete();
    }

    private static void WriteConfig(AtomicFolder folder, JsonObject config, DType type)
    {
        config["dtype"] = type switch
        {
            DType.F32 => "float32",
            DType.BF16 => "bfloat16",
            DType.F16 => "float16",
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "weights are stored as F32, BF16 or F16"),
        };
        WriteObject(folder, ConfigFile, config);
    }

    private static void CheckRange(string path, string name, ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (float.IsFinite(value) && Math.Abs(value) > (float)Half.MaxValue)
                throw new InvalidDataException($"{path}: {name} holds {value}, more than f16's {Half.MaxValue}; use bf16.");
        }
    }

    /// <summary>Writes a JSON object, indented, with a last line end.</summary>
    public static void WriteObject(AtomicFolder folder, string name, JsonObject json)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(json);
        using Stream stream = folder.Create(name);
        using (Utf8JsonWriter writer = new(stream, Indented))
            json.WriteTo(writer);
        stream.WriteByte((byte)'\n');
    }

    /// <summary>Reads a JSON object.</summary>
    /// <exception cref="InvalidDataException">The file is missing or is not one JSON object.</exception>
    public static JsonObject ReadObject(string path) => JsonFile.Read(path, $"a checkpoint folder holds {ConfigFile} and {WeightsFile}.");
}
