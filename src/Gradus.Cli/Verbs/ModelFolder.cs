using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary>
/// Finds the model that a path means: a folder in the Hugging Face layout, or a run's folder, which means its newest whole checkpoint.
/// </summary>
internal static class ModelFolder
{
    private const string AdapterConfig = "adapter_config.json";
    private const string Checkpoints = "checkpoints";

    /// <summary>The folder of the files that a path means.</summary>
    /// <exception cref="UsageException">There is no model.</exception>
    public static string Find(string path)
    {
        if (File.Exists(path))
            throw new UsageException($"{path}: is a file; give a model's folder, or make one of it: gradus convert {path} FOLDER");
        if (!Directory.Exists(path))
            throw new UsageException($"{path}: no such folder; give a model's folder or a run's.");
        if (Holds(path, Checkpoint.ConfigFile) || Holds(path, AdapterConfig))
            return path;
        if (Directory.Exists(Path.Combine(path, Checkpoints)) || Holds(path, "run.json"))
            return NewestCheckpoint(path) ?? throw new UsageException($"{path}: the run has no whole checkpoint yet; wait for its first one.");
        string[] models = [.. Directory.EnumerateDirectories(path).Where(IsModel).Order(StringComparer.Ordinal).Take(5)];
        throw new UsageException(models.Length == 0
            ? $"{path}: holds no model (no {Checkpoint.ConfigFile}, no {Checkpoints}/); give a model's folder or a run's."
            : $"{path}: holds no model itself; did you mean {string.Join(" or ", models)}?");
    }

    /// <summary>Whether a folder holds a model, or a run with a whole checkpoint.</summary>
    public static bool IsModel(string folder) => Holds(folder, Checkpoint.ConfigFile) || Holds(folder, AdapterConfig) || NewestCheckpoint(folder) is not null;

    /// <summary>Loads a model with its tokenizer.</summary>
    /// <param name="path">What <see cref="Find"/> takes.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="keepStoredType">Keep BF16 and F16 weights as they are, to be run but not trained.</param>
    /// <exception cref="UsageException">There is no model, it is not a decoder, or the tokenizer does not fit it.</exception>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others.</exception>
    public static LoadedModel Open(string path, Device device, bool keepStoredType = false)
    {
        string folder = Find(path);
        // The small file first: a wrong tokenizer is found before gigabytes are read.
        Tokenizer tokenizer = OpenTokenizer(folder);
        CheckFit(tokenizer, Checkpoint.ReadConfig(folder), folder);
        LanguageModel model = Checkpoint.Load(folder, device, keepStoredType);
        if (model is DecoderModel decoder)
            return new LoadedModel(decoder, tokenizer, folder, EndIds(folder, tokenizer));
        model.Dispose();
        throw new UsageException($"{folder}: a {model.Config.ArchitectureClass} does not write text; give a decoder such as gpt2 or llama.");
    }

    /// <summary>Loads the tokenizer of a model's folder.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static Tokenizer OpenTokenizer(string folder)
    {
        try
        {
            return Tokenizer.Load(folder);
        }
        catch (FileNotFoundException)
        {
            throw new UsageException($"{folder}: the model has no tokenizer; put its tokenizer.json there.");
        }
    }

    /// <summary>Refuses a tokenizer with ids that the model has no row for. Fewer ids are well: tables are padded.</summary>
    /// <exception cref="UsageException">It does not fit.</exception>
    public static void CheckFit(Tokenizer tokenizer, ModelConfig config, string place)
    {
        if (tokenizer.VocabularySize > config.Vocabulary)
            throw new UsageException($"{place}: the tokenizer does not fit the model: it has {tokenizer.VocabularySize} tokens, the model only {config.Vocabulary}; give the tokenizer that the model was trained with.");
    }

    private static bool Holds(string folder, string file) => File.Exists(Path.Combine(folder, file));

    // Ordered by the number at the end of the name: step-900 comes before step-1000.
    private static string? NewestCheckpoint(string run)
    {
        string folder = Path.Combine(run, Checkpoints);
        if (!Directory.Exists(folder))
            return null;
        // Names with a dot are being written, or being replaced.
        return Directory.GetDirectories(folder).Where(f => Path.GetFileName(f)[0] != '.' && AtomicFolder.IsComplete(f)).MaxBy(StepOf);
    }

    private static long StepOf(string folder)
    {
        string name = Path.GetFileName(folder);
        int digits = name.Length - name.AsSpan().TrimEnd("0123456789").Length;
        return long.TryParse(name.AsSpan(name.Length - digits), out long step) ? step : -1;
    }

    // Chat models end an answer with another token than a text; generation_config.json lists all, config.json some.
    private static int[] EndIds(string folder, Tokenizer tokenizer)
    {
        SortedSet<int> ids = [];
        if (tokenizer.EosId is { } eos)
            ids.Add(eos);
        foreach (string name in new[] { Checkpoint.ConfigFile, "generation_config.json" })
        {
            if (Holds(folder, name))
                ids.UnionWith(Numbers(Checkpoint.ReadObject(Path.Combine(folder, name))["eos_token_id"]));
        }
        return [.. ids];
    }

    private static IEnumerable<int> Numbers(JsonNode? node) => node switch
    {
        JsonArray list => list.SelectMany(Numbers),
        JsonValue value when value.TryGetValue(out int id) => [id],
        _ => [],
    };
}
