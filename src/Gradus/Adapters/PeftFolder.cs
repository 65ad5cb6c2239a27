using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// An adapter on disk in the layout of PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. Files that are written
/// depend on the adapter alone, byte for byte.
/// </summary>
public static class PeftFolder
{
    /// <summary>The file of the configuration.</summary>
    public const string ConfigFile = "adapter_config.json";

    /// <summary>The file of tensors.</summary>
    public const string WeightsFile = "adapter_model.safetensors";

    /// <summary>Parameters that PEFT does not store, for training that goes on: the network that made a prefix.</summary>
    public const string TrainingFile = "prompt_encoder.safetensors";

    // PEFT's of old, and adapter-hub's.
    private static readonly string[] OtherWeightsFiles = ["adapter_model.bin", HubWeightsFile, "pytorch_adapter.bin"];

    private const string HubWeightsFile = "adapter.safetensors";

    /// <summary>Whether a folder holds an adapter rather than a model.</summary>
    public static bool IsAdapter(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    /// <summary>Reads the configuration of an adapter's folder.</summary>
    /// <exception cref="InvalidDataException">adapter_config.json is missing, broken, or asks for what is not supported.</exception>
    public static PeftConfig ReadConfig(string folder)
    {
        string path = Path.Combine(folder, ConfigFile);
        return File.Exists(path)
            ? PeftConfig.Parse(Checkpoint.ReadObject(path), path)
            : throw new InvalidDataException($"{path}: no such file; an adapter's folder holds {ConfigFile} and {WeightsFile}.");
    }

    /// <summary>A base model's configuration as an adapter makes it: with the vocabulary of the tables that the adapter's file holds.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="config">The base model's configuration.</param>
    /// <exception cref="InvalidDataException">A file is missing or broken.</exception>
    public static ModelConfig Adapted(string folder, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (FindWeights(folder) is not { } path)
            return config;
        using TensorFile file = TensorFile.Open(path);
        // A table of tokens is as long as the vocabulary; which one it is, the model says when it is there.
        TensorEntry[] tables = [.. file.Entries.Where(e => e.Shape.Rank == 2 && StoredNames.IsTokenTable(e.Name))];
        return tables.Length > 0 && tables.All(t => t.Shape[0] == tables[0].Shape[0]) ? config.WithVocabulary(tables[0].Shape[0]) : config;
    }

    /// <summary>Attaches the adapter of a folder to its base model.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="model">The base model.</param>
    /// <exception cref="InvalidDataException">A file is missing or broken, or the adapter does not fit the model; nothing is attached.</exception>
    public static ModelAdapter Load(string folder, LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Load(folder, (config, file) => ModelAdapter.Attach(model, config, file));
    }

    /// <summary>Makes something of an adapter's configuration and tensors.</summary>
    /// <exception cref="InvalidDataException">A file is missing or broken, or what is made of them refuses them; one line that names the file.</exception>
    internal static T Load<T>(string folder, Func<PeftConfig, AdapterFile, T> make)
    {
        PeftConfig config = ReadConfig(folder);
        string path = FindWeights(folder)
            ?? throw new InvalidDataException($"{Path.Combine(folder, WeightsFile)}: no such file; an adapter's folder holds {ConfigFile} and {WeightsFile}.");
        using TensorFile file = TensorFile.Open(path);
        string trainingPath = Path.Combine(folder, TrainingFile);
        using TensorFile? training = File.Exists(trainingPath) ? TensorFile.Open(trainingPath) : null;
        try
        {
            return make(config, new AdapterFile(file, config, training));
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{Path.Combine(folder, ConfigFile)}: {e.Message}", e);
        }
    }

    /// <summary>Writes an adapter into a folder that is being written.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="type">Type of the stored values: F32, BF16 or F16.</param>
    public static void Write(AtomicFolder folder, ModelAdapter adapter, DType type = DType.F32)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(adapter);
        Checkpoint.WriteObject(folder, ConfigFile, adapter.Config.ToFile(adapter.Model));
        Checkpoint.WriteTensors(folder.Create(adapter.Config is BottleneckConfig ? HubWeightsFile : WeightsFile), adapter.Tensors, type);
        if (adapter.TrainingTensors is { Count: > 0 } training)
            Checkpoint.WriteTensors(folder.Create(TrainingFile), training);
    }

    /// <summary>Writes an adapter's folder as a whole: a reader sees the old one or the new one.</summary>
    /// <param name="path">The folder, new or written before.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="type">Type of the stored values: F32, BF16 or F16.</param>
    /// <exception cref="IOException">The disk is full, or the folder is not one that was written so.</exception>
    public static void Save(string path, ModelAdapter adapter, DType type = DType.F32)
    {
        using AtomicFolder folder = AtomicFolder.Begin(path);
        Write(folder, adapter, type);
        folder.Commit();
    }

    private static string? FindWeights(string folder) =>
        new[] { WeightsFile }.Concat(OtherWeightsFiles).Select(f => Path.Combine(folder, f)).FirstOrDefault(File.Exists);
}
