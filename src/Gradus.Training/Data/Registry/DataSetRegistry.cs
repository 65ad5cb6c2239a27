using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gradus.Training.Data.Registry;

/// <summary>The data sets that have names. A registry is a JSON object of them by name; what does not belong into it is refused by name.</summary>
public sealed partial class DataSetRegistry
{
    private static readonly string[] SetKeys = ["what", "for", "licence", "source", "revision", "files"];
    private static readonly string[] FileKeys = ["url", "size", "sha256", "columns", "records"];
    private readonly SortedDictionary<string, DataSetInfo> _sets = new(StringComparer.Ordinal);

    /// <summary>All sets, by name.</summary>
    public IReadOnlyCollection<DataSetInfo> Sets => _sets.Values;

    /// <summary>A set, or null.</summary>
    public DataSetInfo? Find(string name) => _sets.GetValueOrDefault(name);

    /// <summary>Reads a registry.</summary>
    /// <param name="json">The text; comments are allowed.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="InvalidDataException">Something in it is wrong; the message names the set and key.</exception>
    public static DataSetRegistry Parse(string json, string path)
    {
        DataSetRegistry registry = new();
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false });
            foreach (JsonProperty set in Members(document.RootElement, path))
                registry._sets.Add(set.Name, ReadSet(set, $"{path}: {set.Name}"));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not valid JSON ({e.Message.ReplaceLineEndings(" ")}).", e);
        }
        return registry;
    }

    private static DataSetInfo ReadSet(JsonProperty set, string where)
    {
        if (!SafeName().IsMatch(set.Name))
            throw new InvalidDataException($"{where}: a name has letters, digits, dots and hyphens only, and begins with a letter or digit.");
        Check(set.Value, SetKeys, where);
        List<DataSetFile> files = [];
        foreach (JsonProperty file in Members(Get(set.Value, "files", where), $"{where}.files"))
            files.Add(ReadFile(file, $"{where}.files.{file.Name}"));
        if (files.Count == 0)
            throw new InvalidDataException($"{where}: files is empty; a data set has at least one.");
        return new DataSetInfo(set.Name, Text("what"), Text("for"), Text("licence"), Text("source"), Text("revision"), files);

        string Text(string key) => GetText(set.Value, key, where);
    }

    private static DataSetFile ReadFile(JsonProperty file, string where)
    {
        if (file.Name.Split('/').Any(part => !SafeName().IsMatch(part)))
            throw new InvalidDataException($"{where}: a file's name has letters, digits, dots, hyphens, underscores and slashes only.");
        Check(file.Value, FileKeys, where);
        string address = GetText(file.Value, "url", where), sha256 = GetText(file.Value, "sha256", where);
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || !(uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback)))
            throw new InvalidDataException($"{where}: url must be an address that begins with https://.");
        if (!Hash().IsMatch(sha256))
            throw new InvalidDataException($"{where}: sha256 must be 64 hexadecimal digits.");
        long size = Get(file.Value, "size", where) is { ValueKind: JsonValueKind.Number } s && s.TryGetInt64(out long bytes) && bytes > 0
            ? bytes
            : throw new InvalidDataException($"{where}: size must be a number of bytes.");
        int records = file.Value.TryGetProperty("records", out JsonElement r) ? r.ValueKind == JsonValueKind.Number && r.TryGetInt32(out int n) && n > 0 ? n : throw new InvalidDataException($"{where}: records must be a number of 1 or more.") : 0;
        Dictionary<string, string>? columns = file.Value.TryGetProperty("columns", out JsonElement c)
            ? Members(c, $"{where}.columns").ToDictionary(p => p.Name, p => p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString()! : throw new InvalidDataException($"{where}: columns.{p.Name} must be a text."))
            : null;
        return new DataSetFile(file.Name, uri, size, sha256) { Columns = columns, Records = records };
    }

    private static JsonElement.ObjectEnumerator Members(JsonElement element, string where) =>
        element.ValueKind == JsonValueKind.Object ? element.EnumerateObject() : throw new InvalidDataException($"{where}: must be a JSON object.");

    private static void Check(JsonElement element, string[] known, string where)
    {
        foreach (JsonProperty property in Members(element, where))
        {
            if (!known.Contains(property.Name))
                throw new InvalidDataException($"{where}: unknown key \"{property.Name}\"; known are {string.Join(", ", known)}.");
        }
    }

    private static JsonElement Get(JsonElement element, string key, string where) =>
        element.TryGetProperty(key, out JsonElement value) ? value : throw new InvalidDataException($"{where}: the key \"{key}\" is missing.");

    private static string GetText(JsonElement element, string key, string where) =>
        Get(element, key, where) is { ValueKind: JsonValueKind.String } value && value.GetString() is { Length: > 0 } text
            ? text
            : throw new InvalidDataException($"{where}: {key} must be a text.");

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\\z")]
    private static partial Regex SafeName();

    [GeneratedRegex("^[0-9a-f]{64}\\z")]
    private static partial Regex Hash();
}
