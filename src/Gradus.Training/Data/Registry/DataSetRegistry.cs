using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gradus.Training.Data.Registry;

/// <summary>The data sets that have names. A registry is a JSON object of them by name; what does not belong into it is refused by name.</summary>
public sealed partial class DataSetRegistry
{
    private static readonly string[] SetKeys = ["what", "for", "licence", "source", "revision", "files"];
    private static readonly string[] PartKeys = ["url", "size", "sha256", "skip", "records", "add", "entry", "encoding", "line"];
    private static readonly string[] FileKeys = [.. PartKeys, "parts", "columns", "fields", "each", "alternate", "lines"];
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
        IReadOnlyList<DataSetPart> parts = file.Value.TryGetProperty("parts", out JsonElement several) ? ReadParts(several, $"{where}.parts") : [ReadPart(file.Value, where)];
        DataSetFile read = new(file.Name, parts)
        {
            Columns = Texts(file.Value, "columns", where),
            Fields = file.Value.TryGetProperty("fields", out JsonElement fields) ? Members(fields, $"{where}.fields").ToDictionary(f => f.Name, f => ReadField(f, $"{where}.fields.{f.Name}")) : null,
            Each = file.Value.TryGetProperty("each", out _) ? GetText(file.Value, "each", where) : null,
            Alternate = file.Value.TryGetProperty("alternate", out JsonElement alternate) && (alternate.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? alternate.GetBoolean()
                : throw new InvalidDataException($"{where}: alternate must be true or false.")),
            Lines = Count(file.Value, "lines", where),
        };
        return read is { Each: not null, Columns: not null } ? throw new InvalidDataException($"{where}: columns renames the fields of a list of records; with each give fields.")
            : read is { Lines: > 0, IsConverted: true } ? throw new InvalidDataException($"{where}: lines keeps text as it is; it goes with no other conversion.")
            : read;
    }

    private static List<DataSetPart> ReadParts(JsonElement parts, string where)
    {
        if (parts.ValueKind != JsonValueKind.Array || parts.GetArrayLength() == 0)
            throw new InvalidDataException($"{where}: must be a list of one or more.");
        List<DataSetPart> read = [];
        foreach (JsonElement part in parts.EnumerateArray())
        {
            Check(part, PartKeys, $"{where}.{read.Count}");
            read.Add(ReadPart(part, $"{where}.{read.Count}"));
        }
        return read;
    }

    private static DataSetPart ReadPart(JsonElement part, string where)
    {
        string address = GetText(part, "url", where), sha256 = GetText(part, "sha256", where);
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || !(uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback)))
            throw new InvalidDataException($"{where}: url must be an address that begins with https://.");
        if (!Hash().IsMatch(sha256))
            throw new InvalidDataException($"{where}: sha256 must be 64 hexadecimal digits.");
        long size = Get(part, "size", where) is { ValueKind: JsonValueKind.Number } s && s.TryGetInt64(out long bytes) && bytes > 0
            ? bytes
            : throw new InvalidDataException($"{where}: size must be a number of bytes.");
        return new DataSetPart(uri, size, sha256)
        {
            Skip = Count(part, "skip", where),
            Records = Count(part, "records", where),
            Add = part.TryGetProperty("add", out JsonElement add) ? Members(add, $"{where}.add").ToDictionary(p => p.Name, p => p.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number ? p.Value.Clone() : throw new InvalidDataException($"{where}: add.{p.Name} must be a text or a number.")) : [],
            Entry = part.TryGetProperty("entry", out _) ? GetText(part, "entry", where) : null,
            IsLatin1 = part.TryGetProperty("encoding", out _) && GetText(part, "encoding", where) switch { "latin1" => true, "utf-8" => false, var other => throw new InvalidDataException($"{where}: encoding \"{other}\" is unknown; known are utf-8, latin1.") },
            Line = part.TryGetProperty("line", out _) ? GetText(part, "line", where) : null,
        };
    }

    private static DataSetField ReadField(JsonProperty field, string where)
    {
        if (field.Value.ValueKind == JsonValueKind.String)
            return new DataSetField([field.Value.GetString()!], IsList: false);
        return field.Value.ValueKind == JsonValueKind.Array && field.Value.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String)
            ? new DataSetField([.. field.Value.EnumerateArray().Select(p => p.GetString()!)], IsList: true)
            : throw new InvalidDataException($"{where}: must be a path, or a list of paths.");
    }

    private static int Count(JsonElement element, string key, string where) =>
        !element.TryGetProperty(key, out JsonElement value) ? 0
            : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int n) && n > 0 ? n
            : throw new InvalidDataException($"{where}: {key} must be a number of 1 or more.");

    private static Dictionary<string, string>? Texts(JsonElement element, string key, string where) => element.TryGetProperty(key, out JsonElement texts)
        ? Members(texts, $"{where}.{key}").ToDictionary(p => p.Name, p => p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString()! : throw new InvalidDataException($"{where}: {key}.{p.Name} must be a text."))
        : null;

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
