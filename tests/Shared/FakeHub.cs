using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Testing;

/// <summary>A hub with one repository, as the real one answers; tests put their mischief in front of it.</summary>
public sealed class FakeHub : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _large = [];
    private int _asked;

    public FakeHub() => Server = new LoopbackServer(Answer);

    public LoopbackServer Server { get; }

    /// <summary>Answers before the hub does; null leaves it to the hub. The number counts requests for contents from 0.</summary>
    public Func<Request, int, Response?>? Mischief { get; set; }

    /// <summary>Changes the description of the model before it is sent.</summary>
    public Action<JsonObject>? Describe { get; set; }

    /// <summary>Whether the listing says hashes and lengths.</summary>
    public bool ListsBlobs { get; set; } = true;

    public void Add(string name, byte[] content, bool large = false)
    {
        _files[name] = content;
        if (large)
            _large.Add(name);
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "Git names its objects by SHA-1.")]
    public string Etag(string name) => _large.Contains(name)
        ? Convert.ToHexStringLower(SHA256.HashData(_files[name]))
        : Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {_files[name].Length}\0"), .. _files[name]]));

    public byte[] Content(string name) => _files[name];

    /// <summary>The contents asked for, in order.</summary>
    public IEnumerable<Request> Downloads => Server.Requests.Where(r => r.Method == "GET" && r.Path.Contains("/resolve/", StringComparison.Ordinal));

    public Response Serve(Request request, byte[] content) => request.Range is { } range && range.To < content.Length
        ? new Response(206, content[range.From..(range.To + 1)], ("Content-Range", $"bytes {range.From}-{range.To}/{content.Length}"))
        : request.Range is null ? new Response(200, content) : new Response(416, []);

    public void Dispose() => Server.Dispose();

    private Response Answer(Request request)
    {
        bool content = request.Path.Contains("/resolve/", StringComparison.Ordinal);
        if (Mischief?.Invoke(request, content ? Interlocked.Increment(ref _asked) - 1 : -1) is { } mischief)
            return mischief;
        if (request.Path is "/api/models/org/model/revision/main" or $"/api/models/org/model/revision/{Commit}")
            return new Response(200, Description());
        string start = $"/org/model/resolve/{Commit}/";
        if (!request.Path.StartsWith(start, StringComparison.Ordinal) || !_files.TryGetValue(request.Path[start.Length..], out byte[]? file))
            return new Response(404, [], ("X-Error-Code", "EntryNotFound"));
        string name = request.Path[start.Length..];
        if (request.Method == "HEAD")
        {
            return _large.Contains(name)
                ? new Response(302, [], ("X-Linked-Etag", $"\"{Etag(name)}\""), ("X-Linked-Size", $"{file.Length}"), ("Location", "http://127.0.0.1:1/elsewhere"))
                : new Response(200, [], ("ETag", $"\"{Etag(name)}\"")) { AnnouncedLength = file.Length };
        }
        return Serve(request, file);
    }

    private byte[] Description()
    {
        JsonArray siblings = [];
        foreach ((string name, byte[] content) in _files)
        {
            JsonObject file = new() { ["rfilename"] = name };
            if (ListsBlobs)
            {
                file["size"] = content.Length;
                file["blobId"] = _large.Contains(name) ? new string('f', 40) : Etag(name);
                if (_large.Contains(name))
                    file["lfs"] = new JsonObject { ["sha256"] = Etag(name), ["size"] = content.Length, ["pointerSize"] = 130 };
            }
            siblings.Add((JsonNode)file);
        }
        JsonObject description = new() { ["id"] = "org/model", ["sha"] = Commit, ["siblings"] = siblings };
        Describe?.Invoke(description);
        return JsonSerializer.SerializeToUtf8Bytes(description);
    }
}
