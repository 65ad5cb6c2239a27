using System.Text.Json;

namespace Gradus.Files.Hub;

/// <summary>Reads the hub's untrusted description of a model.</summary>
internal static class HubAnswer
{
    /// <summary>Parses <c>{sha, siblings: [{rfilename, size, blobId, lfs: {sha256, size}}]}</c>.</summary>
    /// <exception cref="HubException">It is something else, or names a file outside the model's folder.</exception>
    public static HubListing Parse(Uri address, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            string commit = root.GetProperty("sha").GetString() ?? "";
            if (!HubCache.IsCommit(commit))
                throw new HubException($"{address}: answers with the commit {Malformed.Quote(commit)}, which is none; check HF_ENDPOINT.");
            Dictionary<string, HubFile> files = new(StringComparer.Ordinal);
            foreach (JsonElement sibling in root.GetProperty("siblings").EnumerateArray())
            {
                HubFile file = ParseFile(sibling);
                if (!HubModel.IsSafePath(file.Name))
                    throw new HubException($"{address}: lists the file {Malformed.Quote(file.Name)}, whose path leads out of the model's folder; it is refused.");
                files[file.Name] = file;
            }
            return new HubListing(commit, [.. files.Values]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new HubException($"{address}: does not answer with the description of a model; check HF_ENDPOINT.", e);
        }
    }

    private static HubFile ParseFile(JsonElement sibling)
    {
        string? etag = sibling.TryGetProperty("blobId", out JsonElement blob) ? blob.GetString() : null;
        long? size = sibling.TryGetProperty("size", out JsonElement bytes) && bytes.ValueKind == JsonValueKind.Number ? bytes.GetInt64() : null;
        if (sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object)
        {
            etag = lfs.TryGetProperty("sha256", out JsonElement sha) ? sha.GetString() : null;
            size = lfs.TryGetProperty("size", out bytes) && bytes.ValueKind == JsonValueKind.Number ? bytes.GetInt64() : size;
        }
        return new HubFile(sibling.GetProperty("rfilename").GetString() ?? "", etag, size);
    }
}
