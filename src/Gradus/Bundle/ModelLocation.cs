using System.Text.RegularExpressions;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Files.Hub;
using Gradus.Text;

namespace Gradus.Bundle;

/// <summary>The folders of a model.</summary>
/// <param name="Folder">The model: a folder in the Hugging Face layout, a GGUF file, or a llama2.c file.</param>
/// <param name="Adapter">The adapter on it, a folder in the PEFT layout, or null.</param>
public sealed partial record ModelLocation(string Folder, string? Adapter = null)
{
    private const string BaseKey = "base_model_name_or_path";

    /// <summary>
    /// The folders that a path means: a folder in the Hugging Face layout, or its file of weights; a GGUF file, or a folder with one; a llama2.c
    /// file, or a folder with one; an adapter's folder, which means its base model with the adapter on it; or what the caller resolves.
    /// </summary>
    /// <param name="path">The path.</param>
    /// <param name="resolve">
    /// Asked for what is no model itself, of the path and of an adapter's base: gives the folder or file of a run, or of a name on the hub; null
    /// where it knows none.
    /// </param>
    /// <param name="baseModel">The base model of an adapter, instead of the one that its configuration names; null for that.</param>
    /// <exception cref="InvalidDataException">There is no model; one line that says what to do.</exception>
    public static ModelLocation Find(string path, Func<string, string?>? resolve = null, string? baseModel = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string folder = FindFolder(path, resolve);
        if (PeftFolder.IsAdapter(folder))
            return new ModelLocation(baseModel is null ? FindBase(folder, resolve) : OnlyModel(FindFolder(baseModel, resolve), baseModel, baseModel), folder);
        return baseModel is null
            ? new ModelLocation(folder)
            : throw new InvalidDataException($"{path}: is a model, not an adapter, so it has no base model; leave that out.");
    }

    /// <summary>Whether a folder holds a model or an adapter in the Hugging Face or the PEFT layout.</summary>
    public static bool IsModel(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return File.Exists(Path.Combine(folder, Checkpoint.ConfigFile)) || PeftFolder.IsAdapter(folder);
    }

    /// <summary>Loads the tokenizer: the adapter's own, or the model's.</summary>
    /// <exception cref="InvalidDataException">There is none, or it is broken.</exception>
    public Tokenizer OpenTokenizer() => TryOpenTokenizer() ?? throw new InvalidDataException($"{Folder}: the model has no tokenizer; put its tokenizer.json there.");

    /// <summary>Loads the tokenizer, or gives null where there is none.</summary>
    /// <exception cref="InvalidDataException">It is broken.</exception>
    public Tokenizer? TryOpenTokenizer()
    {
        foreach (string folder in new[] { Adapter, Folder }.OfType<string>())
        {
            if (Llama2cModels.IsModel(folder))
                return Llama2cModels.FindTokenizer(folder, Checkpoint.ReadConfig(folder).Vocabulary);
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

    private static string FindFolder(string path, Func<string, string?>? resolve)
    {
        if (TryFind(path) is { } found)
            return found;
        if (resolve?.Invoke(path) is { } resolved)
            return TryFind(resolved) ?? throw NoModel(resolved);
        throw NoModel(path);
    }

    private static InvalidDataException NoModel(string path) => new(Directory.Exists(path)
        ? $"{path}: holds no model (no {Checkpoint.ConfigFile}, no checkpoints/); give a model's folder or a run's."
        : $"{path}: no such folder{(Path.IsPathRooted(path) ? "" : $" in {Directory.GetCurrentDirectory()}")}; give a model's folder or a run's, a GGUF file, or a name on the hub (org/name).");

    private static string? TryFind(string path)
    {
        if (GgufModel.IsGguf(path) || Llama2cModels.IsModel(path))
            return path;
        if (File.Exists(path))
        {
            if (ForeignFile.Describe(path) is { } foreign)
                throw new InvalidDataException($"{path}: {foreign}");
            string around = Path.GetDirectoryName(Path.GetFullPath(path))!;
            return WeightsOfFolder().IsMatch(Path.GetFileName(path)) && File.Exists(Path.Combine(around, Checkpoint.ConfigFile))
                ? around
                : throw new InvalidDataException($"{path}: is a file; give a model's folder, or make one of it: gradus convert {path} FOLDER");
        }
        if (!Directory.Exists(path))
            return null;
        if (IsModel(path))
            return path;
        // The weights of a model on the hub may be one GGUF file, whole or in shards.
        string[] gguf = [.. Directory.GetFiles(path, "*.gguf").Order(StringComparer.Ordinal)];
        return gguf.Length > 0 && gguf.Skip(1).All(f => f.Contains("-of-", StringComparison.Ordinal)) ? gguf[0] : Llama2cModels.FindIn(path);
    }

    // Files that opening the folder would read.
    [GeneratedRegex(@"^(model|pytorch_model)(-[0-9]{5}-of-[0-9]{5})?\.(safetensors|bin)(\.index\.json)?$", RegexOptions.CultureInvariant)]
    private static partial Regex WeightsOfFolder();

    // PEFT takes the path from the working directory; a folder that was moved together with its base is found from itself.
    private static string FindBase(string adapter, Func<string, string?>? resolve)
    {
        string file = Path.Combine(adapter, PeftFolder.ConfigFile);
        if (PeftFolder.ReadConfig(adapter).BaseModelNameOrPath is not { Length: > 0 } name)
            throw new InvalidDataException($"{file}: {BaseKey} is missing; set it to the folder of the base model.");
        // A path of Windows, with its separators, is one here too.
        string[] names = Path.DirectorySeparatorChar == '/' && name.Contains('\\', StringComparison.Ordinal) ? [name, name.Replace('\\', '/')] : [name];
        string? found = names.SelectMany(n => new[] { Path.GetFullPath(n, Path.GetFullPath(adapter)), Path.GetFullPath(n) }).FirstOrDefault(Path.Exists);
        try
        {
            found ??= resolve?.Invoke(name);
        }
        catch (HubException e)
        {
            throw new InvalidDataException($"{file}: {BaseKey}: there is no folder or file {name} here, and from the hub: {e.Message}", e);
        }
        return found is null
            ? throw new InvalidDataException($"{file}: {BaseKey}: there is no folder or file {name} here; get the base model and set {BaseKey} to it, or give its place with --base.")
            : OnlyModel(FindFolder(found, resolve), found, $"{file}: {BaseKey}: {name}");
    }

    private static string OnlyModel(string folder, string path, string source) => PeftFolder.IsAdapter(folder)
        ? throw new InvalidDataException($"{source} is an adapter itself; merge that one first: gradus merge {path} --to FOLDER")
        : folder;
}
