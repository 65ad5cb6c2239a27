using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

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

    /// <summary>Reads the hyperparameters of a checkpoint folder.</summary>
    /// <exception cref="InvalidDataException">config.json is missing, broken or of an unknown architecture.</exception>
    public static ModelConfig ReadConfig(string folder) => Architectures.Parse(ReadObject(Path.Combine(folder, ConfigFile)), Path.Combine(folder, ConfigFile));

    /// <summary>Loads a model.</summary>
    /// <param name="folder">A folder in the Hugging Face layout.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="keepStoredType">Keep BF16 and F16 weights as they are, to be run or adapted but not trained, rather than widen them to F32.</param>
    /// <param name="keepPacked">Keep the matrices of linear layers in blocks where the file has them so, to be run or adapted, rather than unpack them.</param>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others; the message names file and tensor.</exception>
    public static LanguageModel Load(string folder, Device device, bool keepStoredType = false, bool keepPacked = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(device);
        if (!Directory.Exists(folder))
            throw new InvalidDataException($"{folder}: no such folder; give a folder that holds {ConfigFile} and {WeightsFile}.");
        ModelConfig config = ReadConfig(folder);
        using TensorFile file = TensorFile.Open(folder);
        return Load(config, file, device, keepStoredType, keepPacked);
    }

    /// <summary>Builds a model from its configuration and the tensors of a file.</summary>
    public static LanguageModel Load(ModelConfig config, TensorFile file, Device device, bool keepStoredType = false, bool keepPacked = false)
    {
        Workspace store = new(device);
        try
        {
            CheckpointSource source = new(file, keepStoredType, keepPacked);
            LanguageModel model = Architectures.Build(config, new Scope(source, store));
            if (source.Unused.ToList() is { Count: > 0 } unused)
                throw new InvalidDataException($"{file.Path}: {unused.Count} tensors do not belong to this model: {string.Join(", ", unused.Take(5))}{(unused.Count > 5 ? ", …" : "")}; is {ConfigFile} the right one?");
            return model;
        }
        catch
        {
            store.Dispose();
            throw;
        }
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
        JsonObject config = Architectures.ToJson(model.Config);
        config["dtype"] = type switch
        {
            DType.F32 => "float32",
            DType.BF16 => "bfloat16",
            DType.F16 => "float16",
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "weights are stored as F32, BF16 or F16"),
        };
        WriteObject(folder, ConfigFile, config);
        WriteTensors(folder.Create(WeightsFile), model.Parameters, type);
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
                writer.Write(entry.Name, value.Span());
            }
            else
            {
                using Workspace scratch = new(value.Device);
                writer.Write(entry.Name, scratch.Adopt(value).ToF32().Span());
            }
        }
        writer.Complete();
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
    public static JsonObject ReadObject(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject
                ?? throw new InvalidDataException($"{path}: expected a JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: line {e.LineNumber + 1}: not valid JSON; get the file again.", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"{path}: no such file; a checkpoint folder holds {ConfigFile} and {WeightsFile}.", e);
        }
    }
}
