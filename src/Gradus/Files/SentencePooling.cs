using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Nn;

namespace Gradus.Files;

/// <summary>
/// How a sentence encoder makes one vector of a text, in the files that sentence-transformers puts beside a checkpoint: <c>modules.json</c>,
/// and <c>1_Pooling/config.json</c> with a flag for every way. Left out: several ways at once, maxima, weighted means.
/// </summary>
public static class SentencePooling
{
    private const string ModulesFile = "modules.json";
    private const string PoolingFolder = "1_Pooling";

    private static readonly (string Flag, Pooling? Way)[] Flags =
    [
        ("pooling_mode_cls_token", Pooling.First),
        ("pooling_mode_mean_tokens", Pooling.Mean),
        ("pooling_mode_max_tokens", null),
        ("pooling_mode_mean_sqrt_len_tokens", null),
        ("pooling_mode_weightedmean_tokens", null),
        ("pooling_mode_lasttoken", Pooling.Last),
    ];

    /// <summary>The pooling of a checkpoint's folder; null where it is no sentence encoder.</summary>
    /// <exception cref="InvalidDataException">It pools in a way that is not known here, or a file is broken.</exception>
    public static Pooling? Find(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string path = Path.Combine(folder, PoolingFolder, Checkpoint.ConfigFile);
        if (!File.Exists(Path.Combine(folder, ModulesFile)) || !File.Exists(path))
            return null;
        JsonObject config = Checkpoint.ReadObject(path);
        string[] set = [.. config.Where(p => p.Key.StartsWith("pooling_mode_", StringComparison.Ordinal) && p.Value?.GetValueKind() == JsonValueKind.True).Select(p => p.Key)];
        return set.Length == 1 && Flags.FirstOrDefault(f => f.Flag == set[0]).Way is { } way
            ? way
            : throw new InvalidDataException($"{path}: pools by {(set.Length == 0 ? "nothing" : string.Join(" and ", set))}; known are {string.Join(", ", Flags.Where(f => f.Way is not null).Select(f => f.Flag))}, one at a time.");
    }

    /// <summary>Writes the files into a folder that is being written.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="pooling">The way.</param>
    /// <param name="width">Values of a vector.</param>
    public static void Write(AtomicFolder folder, Pooling pooling, int width)
    {
        ArgumentNullException.ThrowIfNull(folder);
        folder.WriteAllText(ModulesFile, new JsonArray(
            Module(0, "", "sentence_transformers.models.Transformer"), Module(1, PoolingFolder, "sentence_transformers.models.Pooling")).ToJsonString());
        JsonObject config = new() { ["word_embedding_dimension"] = width };
        foreach ((string flag, Pooling? way) in Flags)
            config[flag] = way == pooling;
        Checkpoint.WriteObject(folder, $"{PoolingFolder}/{Checkpoint.ConfigFile}", config);
    }

    private static JsonObject Module(int index, string path, string type) => new()
    {
        ["idx"] = index,
        ["name"] = index.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["path"] = path,
        ["type"] = type,
    };
}
