using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gradus.Adapters;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Files.Hub;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Training.Runs;

namespace Gradus.Cli.Verbs;

/// <summary>The folders of a model.</summary>
/// <param name="Folder">The model, in the Hugging Face layout.</param>
/// <param name="Adapter">The adapter on it, in the PEFT layout, or null.</param>
internal sealed record ModelPlace(string Folder, string? Adapter);

/// <summary>
/// Finds and loads the model that a path means: a folder in the Hugging Face layout, or its file of weights; a GGUF file; a llama2.c file; a run's folder, which means its newest
/// whole checkpoint; an adapter's folder, which means its base model with the adapter on it; or a model's name on the hub.
/// </summary>
internal static partial class ModelFolder
{
    private const string Checkpoints = "checkpoints";

    /// <summary>The folders that a path means.</summary>
    /// <param name="path">A folder, a GGUF file, or a model's name on the hub, which is fetched if need be.</param>
    /// <param name="cancel">Stops a download.</param>
    /// <exception cref="UsageException">There is no model.</exception>
    public static ModelPlace Find(string path, CancellationToken cancel = default)
    {
        string folder = FindFolder(path, cancel);
        return PeftFolder.IsAdapter(folder) ? new ModelPlace(FindBase(folder, cancel), folder) : new ModelPlace(folder, null);
    }

    /// <summary>Whether a folder holds a model, an adapter, or a run with a whole checkpoint.</summary>
    public static bool IsModel(string folder) => Holds(folder, Checkpoint.ConfigFile) || PeftFolder.IsAdapter(folder) || RunFolder.LatestCheckpoint(folder) is not null;

    /// <summary>Loads a model with its tokenizer, and its adapter if it has one.</summary>
    /// <param name="path">What <see cref="Find"/> takes.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="keepStoredType">Keep BF16 and F16 weights as they are, to be run but not trained.</param>
    /// <param name="keepPacked">Keep a quantized file's matrices in their blocks, to be run.</param>
    /// <param name="cancel">Stops a download.</param>
    /// <exception cref="UsageException">There is no model, it does not write text, or the tokenizer does not fit it.</exception>
    /// <exception cref="InvalidDataException">A file is missing, broken, or does not fit the others.</exception>
    public static LoadedModel Open(string path, Device device, bool keepStoredType = false, bool keepPacked = false, CancellationToken cancel = default)
    {
        ModelPlace place = Find(path, cancel);
        // The small files first: a wrong model or tokenizer is found before gigabytes are read.
        ModelConfig config = Checkpoint.ReadConfig(place.Folder);
        if (!Architectures.WritesText(config))
            throw WritesNothing(place, config);
        Tokenizer tokenizer = OpenTokenizer(place);
        CheckFit(tokenizer, config, place.Adapter ?? place.Folder);
        LanguageModel model = Checkpoint.Load(place.Folder, device, keepStoredType, keepPacked);
        try
        {
            if (model is not GenerativeModel writer)
                throw WritesNothing(place, config);
            ModelAdapter? adapter = place.Adapter is null ? null : PeftFolder.Load(place.Adapter, model);
            return new LoadedModel(writer, adapter, tokenizer, place, EndIds(place, tokenizer));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static UsageException WritesNothing(ModelPlace place, ModelConfig config) =>
        new($"{place.Folder}: {config.Architecture} does not write text; give a decoder such as gpt2 or llama.");

    /// <summary>Loads the tokenizer of a model: the adapter's own, or the model's.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static Tokenizer OpenTokenizer(ModelPlace place) =>
        TryOpenTokenizer(place) ?? throw new UsageException($"{place.Folder}: the model has no tokenizer; put its tokenizer.json there.");

    /// <summary>Loads the tokenizer of a model, or gives null where there is none.</summary>
    public static Tokenizer? TryOpenTokenizer(ModelPlace place)
    {
        if (place.Adapter is null && Llama2cModels.IsModel(place.Folder))
            return Llama2cModels.FindTokenizer(place.Folder, Checkpoint.ReadConfig(place.Folder).Vocabulary);
        foreach (string folder in new[] { place.Adapter, place.Folder }.OfType<string>())
        {
            try
            {
                return Tokenizer.Load(folder);
            }
            catch (FileNotFoundException)
            {
                // The next one may have it.
            }
        }
        return null;
    }

    /// <summary>Refuses a tokenizer with ids that the model has no row for. Fewer ids are well: tables are padded.</summary>
    /// <exception cref="UsageException">It does not fit.</exception>
    public static void CheckFit(Tokenizer tokenizer, ModelConfig config, string place)
    {
        if (tokenizer.VocabularySize > config.Vocabulary)
            throw new UsageException($"{place}: the tokenizer does not fit the model: it has {tokenizer.VocabularySize} tokens, the model only {config.Vocabulary}; give the tokenizer that the model was trained with.");
    }

    private static string FindFolder(string path, CancellationToken cancel)
    {
        if (GgufModel.IsGguf(path) || Llama2cModels.IsModel(path))
            return path;
        if (File.Exists(path))
        {
            string around = Path.GetDirectoryName(Path.GetFullPath(path))!;
            return WeightsOfFolder().IsMatch(Path.GetFileName(path)) && Holds(around, Checkpoint.ConfigFile)
                ? around
                : throw new UsageException($"{path}: is a file; give a model's folder, or make one of it: gradus convert {path} FOLDER");
        }
        if (!Directory.Exists(path))
            path = HubModels.Resolve(path, cancel) ?? throw new UsageException($"{path}: no such folder; give a model's folder or a run's, a GGUF file, or a name on the hub (org/name).");
        if (Holds(path, Checkpoint.ConfigFile) || PeftFolder.IsAdapter(path))
            return path;
        // The weights of a model on the hub may be one GGUF file, whole or in shards.
        string[] gguf = [.. Directory.GetFiles(path, "*.gguf").Order(StringComparer.Ordinal)];
        if (gguf.Length > 0 && gguf.Skip(1).All(f => f.Contains("-of-", StringComparison.Ordinal)))
            return gguf[0];
        if (Llama2cModels.FindIn(path) is { } llama)
            return llama;
        if (Directory.Exists(Path.Combine(path, Checkpoints)) || Holds(path, "run.json"))
            return RunFolder.LatestCheckpoint(path) ?? throw new UsageException($"{path}: the run has no whole checkpoint yet; wait for its first one.");
        string[] models = [.. Directory.EnumerateDirectories(path).Where(IsModel).Order(StringComparer.Ordinal).Take(5)];
        throw new UsageException(models.Length == 0
            ? $"{path}: holds no model (no {Checkpoint.ConfigFile}, no {Checkpoints}/); give a model's folder or a run's."
            : $"{path}: holds no model itself; did you mean {string.Join(" or ", models)}?");
    }

    // Files that opening the folder would read.
    [GeneratedRegex(@"^(model|pytorch_model)(-[0-9]{5}-of-[0-9]{5})?\.(safetensors|bin)(\.index\.json)?$", RegexOptions.CultureInvariant)]
    private static partial Regex WeightsOfFolder();

    // PEFT takes the path from the working directory; a folder that was moved together with its base is found from itself.
    private static string FindBase(string adapter, CancellationToken cancel)
    {
        const string Key = "base_model_name_or_path";
        string file = Path.Combine(adapter, PeftFolder.ConfigFile);
        if (PeftFolder.ReadConfig(adapter).BaseModelNameOrPath is not { Length: > 0 } name)
            throw new UsageException($"{file}: {Key} is missing; set it to the folder of the base model.");
        string? found = new[] { Path.GetFullPath(name, Path.GetFullPath(adapter)), Path.GetFullPath(name) }.FirstOrDefault(Path.Exists);
        try
        {
            found ??= HubModels.Resolve(name, cancel);
        }
        catch (HubException e)
        {
            throw new UsageException($"{file}: {Key}: there is no folder or file {name} here, and from the hub: {e.Message}");
        }
        if (found is null)
            throw new UsageException($"{file}: {Key}: there is no folder or file {name} here; get the base model and set {Key} to it.");
        string folder = FindFolder(found, cancel);
        return PeftFolder.IsAdapter(folder)
            ? throw new UsageException($"{file}: {Key}: {name} is an adapter itself; merge that one first: gradus convert {found} FOLDER")
            : folder;
    }

    private static bool Holds(string folder, string file) => File.Exists(Path.Combine(folder, file));

    // Chat models end an answer with another token than a text; generation_config.json lists all, config.json some.
    private static int[] EndIds(ModelPlace place, Tokenizer tokenizer)
    {
        SortedSet<int> ids = [];
        if (tokenizer.EosId is { } eos)
            ids.Add(eos);
        foreach (string folder in new[] { place.Folder, place.Adapter }.OfType<string>())
        {
            foreach (string name in new[] { Checkpoint.ConfigFile, "generation_config.json" })
            {
                if (Holds(folder, name))
                    ids.UnionWith(Numbers(Checkpoint.ReadObject(Path.Combine(folder, name))["eos_token_id"]));
            }
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
