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

    private const string OldWeightsFile = "adapter_model.bin";

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

    /// <summary>Attaches the adapter of a folder to its base model.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="model">The base model.</param>
    /// <exception cref="InvalidDataException">A file is missing or broken, or the adapter does not fit the model; nothing is attached.</exception>
    public static ModelAdapter Load(string folder, LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        PeftConfig config = ReadConfig(folder);
        string path = Path.Combine(folder, WeightsFile);
        if (!File.Exists(path) && File.Exists(Path.Combine(folder, OldWeightsFile)))
            path = Path.Combine(folder, OldWeightsFile);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: no such file; an adapter's folder holds {ConfigFile} and {WeightsFile}.");
        using TensorFile file = TensorFile.Open(path);
        try
        {
            return ModelAdapter.Attach(model, config, new AdapterFile(file, config));
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
        Checkpoint.WriteObject(folder, ConfigFile, (adapter.Config with { InferenceMode = true }).ToJson());
        Checkpoint.WriteTensors(folder.Create(WeightsFile), adapter.Tensors, type);
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
}
