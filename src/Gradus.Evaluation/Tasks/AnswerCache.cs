using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// Answers by model and request in a file of JSON lines, so that an evaluation that was ended, or repeated with more examples, asks only what is
/// new. A line that was not written whole is left out. One process at a time.
/// </summary>
public sealed class AnswerCache : IDisposable
{
    private readonly Dictionary<string, EvalResponse> _answers = new(StringComparer.Ordinal);
    private readonly StreamWriter _writer;

    /// <summary>Opens a file of answers, or begins one.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">It cannot be written, or another process has it open.</exception>
    public AnswerCache(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
            Directory.CreateDirectory(folder);
        FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        long whole = Read(file);
        file.SetLength(whole);
        file.Position = whole;
        _writer = new StreamWriter(file, new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>The number of answers.</summary>
    public int Count => _answers.Count;

    /// <summary>The answer to a request, or null.</summary>
    public EvalResponse? Find(string model, EvalRequest request) => _answers.GetValueOrDefault(Key(model, request));

    /// <summary>Keeps an answer.</summary>
    public void Add(string model, EvalRequest request, EvalResponse response)
    {
        string key = Key(model, request);
        if (!_answers.TryAdd(key, response))
            return;
        JsonObject line = new() { ["key"] = key };
        if (response is LikelihoodResponse likelihood)
        {
            // −∞ has no form in JSON.
            line["log_likelihood"] = double.IsFinite(likelihood.LogLikelihood) ? likelihood.LogLikelihood : "-Infinity";
            line["greedy"] = likelihood.IsGreedy;
        }
        else
        {
            line["texts"] = new JsonArray([.. ((TextResponse)response).Texts.Select(t => (JsonNode)t)]);
        }
        _writer.WriteLine(line.ToJsonString());
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _writer.Dispose();

    private long Read(FileStream file)
    {
        using MemoryStream all = new();
        file.CopyTo(all);
        ReadOnlySpan<byte> rest = all.GetBuffer().AsSpan(0, (int)all.Length);
        long whole = 0;
        for (int end = rest.IndexOf((byte)'\n'); end >= 0; end = rest.IndexOf((byte)'\n'))
        {
            if (!TryRead(rest[..end]))
                break;
            whole += end + 1;
            rest = rest[(end + 1)..];
        }
        return whole;
    }

    private bool TryRead(ReadOnlySpan<byte> line)
    {
        try
        {
            if (JsonNode.Parse(line) is not JsonObject entry || entry["key"]?.ToString() is not { } key)
                return false;
            _answers[key] = entry["texts"] is JsonArray texts
                ? new TextResponse([.. texts.Select(t => t!.ToString())])
                : new LikelihoodResponse(entry["log_likelihood"] is JsonValue value && value.TryGetValue(out double number) ? number : double.NegativeInfinity, (bool)entry["greedy"]!);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NullReferenceException)
        {
            return false;
        }
    }

    private static string Key(string model, EvalRequest request)
    {
        string[] parts = request switch
        {
            LogLikelihoodRequest likelihood => ["likelihood", model, likelihood.Context, likelihood.Continuation],
            RollingRequest rolling => ["rolling", model, rolling.Text],
            GenerateRequest generate =>
            [
                "generate", model, generate.Context, generate.Settings.Arguments.ToJsonString(), $"{generate.Repeats}",
                .. (generate.Messages ?? []).SelectMany(m => new[] { m.Role, m.Text ?? "" }),
            ],
            _ => throw new ArgumentException($"Requests of the kind {request?.GetType().Name} have no key.", nameof(request)),
        };
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in parts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
        return Convert.ToHexString(hash.GetHashAndReset());
    }
}
