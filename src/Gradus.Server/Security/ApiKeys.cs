using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Server.Security;

/// <summary>Whoever has a key.</summary>
/// <param name="Name">A name, for logs and fairness.</param>
/// <param name="Sha256">The SHA-256 of the key, in hexadecimal; the key itself is stored nowhere.</param>
/// <param name="Scopes">What it may be used for: <c>inference</c>, <c>admin</c>.</param>
/// <param name="RequestsPerMinute">Requests in a minute at most; null for no limit.</param>
/// <param name="TokensPerMinute">Tokens, read or generated, in a minute at most; null for no limit.</param>
/// <param name="Concurrent">Requests at once at most; null for no limit.</param>
public sealed record ApiKey(string Name, string Sha256, IReadOnlyList<string> Scopes, int? RequestsPerMinute = null, int? TokensPerMinute = null, int? Concurrent = null);

/// <summary>
/// The keys of a server. A key that is shown is hashed and compared with all of them in a time that does not depend on it.
/// </summary>
public sealed class ApiKeys
{
    /// <summary>The right to have models work.</summary>
    public const string Inference = "inference";

    /// <summary>The right to load, unload and fetch models, and to read metrics.</summary>
    public const string Admin = "admin";

    private const string Prefix = "gr-";
    private readonly (byte[] Hash, ApiKey Key)[] _keys;

    /// <summary>Takes keys.</summary>
    /// <param name="keys">The keys, at least one.</param>
    /// <exception cref="InvalidDataException">There is none, or one is not well formed.</exception>
    public ApiKeys(IEnumerable<ApiKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        All = [.. keys];
        if (All.Count == 0)
            throw new InvalidDataException("There is no key, so nobody could use the server; make one, or leave the keys out.");
        if (All.GroupBy(k => k.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidDataException($"Two keys are called {twice.Key}; give each a name of its own.");
        _keys = [.. All.Select(k => (Hash(k), k))];
    }

    /// <summary>All keys.</summary>
    public IReadOnlyList<ApiKey> All { get; }

    /// <summary>Makes a new key.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="scopes">What it may be used for.</param>
    /// <returns>The key, which is to be handed over and cannot be found again, and what is stored of it.</returns>
    public static (string Secret, ApiKey Key) Create(string name, params IReadOnlyList<string> scopes)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        string secret = Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        return (secret, new ApiKey(name, Digest(secret), scopes.Count == 0 ? [Inference] : scopes));
    }

    /// <summary>A key that somebody else has made.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="secret">The key.</param>
    public static ApiKey Of(string name, string secret) => new(name, Digest(secret), [Inference, Admin]);

    /// <summary>Reads keys from a file: <c>{"keys": [{"name", "sha256", "scopes", "requests_per_minute", "tokens_per_minute", "concurrent"}]}</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">It is not well formed; one line that says where.</exception>
    public static ApiKeys Load(string path)
    {
        try
        {
            JsonArray list = JsonNode.Parse(File.ReadAllText(path))?["keys"]?.AsArray() ?? throw new InvalidDataException($"{path}: has no list of keys.");
            return new ApiKeys(list.Select((node, i) => Read(node as JsonObject ?? throw new InvalidDataException($"{path}: keys[{i}] is no object."), $"{path}: keys[{i}]")));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: is no file of keys: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>Writes keys to a file, which only the owner may read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="keys">The keys.</param>
    public static void Save(string path, IEnumerable<ApiKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        JsonArray list = [.. keys.Select(k => (JsonNode)Write(k))];
        Files.AtomicFile.Write(path, stream =>
        {
            using Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Indented = true });
            new JsonObject { ["keys"] = list }.WriteTo(writer);
        });
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Whose key this is; null where it is nobody's.</summary>
    /// <param name="secret">What was shown.</param>
    public ApiKey? Find(string secret)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(secret));
        ApiKey? found = null;
        foreach ((byte[] known, ApiKey key) in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(known, hash))
                found = key;
        }
        return found;
    }

    private static string Digest(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    private static byte[] Hash(ApiKey key)
    {
        byte[] hash = key.Sha256.Length == 64 && key.Sha256.All(char.IsAsciiHexDigit) ? Convert.FromHexString(key.Sha256) : [];
        return hash.Length == SHA256.HashSizeInBytes ? hash : throw new InvalidDataException($"The key {key.Name} has no SHA-256 of 64 hexadecimal digits.");
    }

    private static ApiKey Read(JsonObject node, string where)
    {
        string[] known = ["name", "sha256", "scopes", "requests_per_minute", "tokens_per_minute", "concurrent"];
        if (node.Select(p => p.Key).FirstOrDefault(k => !known.Contains(k)) is { } unknown)
            throw new InvalidDataException($"{where}: {unknown} is no field of a key; there are {string.Join(", ", known)}.");
        string[] scopes = node["scopes"] is JsonArray given ? [.. given.Select(s => s!.GetValue<string>())] : [Inference];
        if (scopes.FirstOrDefault(s => s is not (Inference or Admin)) is { } scope)
            throw new InvalidDataException($"{where}: {scope} is no scope; there are {Inference} and {Admin}.");
        return new ApiKey(
            node["name"]?.GetValue<string>() ?? throw new InvalidDataException($"{where}: has no name."),
            node["sha256"]?.GetValue<string>() ?? throw new InvalidDataException($"{where}: has no sha256."),
            scopes, Limit("requests_per_minute"), Limit("tokens_per_minute"), Limit("concurrent"));

        int? Limit(string name) => node[name]?.GetValue<int>() is { } limit ? limit >= 1 ? limit : throw new InvalidDataException($"{where}: {name} is {limit}; give 1 or more, or leave it out.") : null;
    }

    private static JsonObject Write(ApiKey key)
    {
        JsonObject node = new() { ["name"] = key.Name, ["sha256"] = key.Sha256, ["scopes"] = new JsonArray([.. key.Scopes.Select(s => (JsonNode)s)]) };
        foreach ((string name, int? limit) in new[] { ("requests_per_minute", key.RequestsPerMinute), ("tokens_per_minute", key.TokensPerMinute), ("concurrent", key.Concurrent) })
        {
            if (limit is { } value)
                node[name] = value;
        }
        return node;
    }
}
