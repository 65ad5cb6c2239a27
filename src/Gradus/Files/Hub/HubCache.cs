using System.Text.RegularExpressions;

namespace Gradus.Files.Hub;

/// <summary>
/// The hub's own cache on disk, shared with other programs: <c>models--org--name/</c> with <c>blobs/</c> (contents by etag),
/// <c>refs/</c> (a branch's commit) and <c>snapshots/COMMIT/</c> (links to blobs under their names). Source:
/// https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
/// </summary>
public sealed partial class HubCache(string folder)
{
    /// <summary>The cache's folder.</summary>
    public string Folder { get; } = folder;

    /// <summary>The folder of a model's files if the cache has it at that revision, or null.</summary>
    public string? FindSnapshot(HubModel model)
    {
        string? commit = IsCommit(model.Revision) ? model.Revision : ReadRef(model);
        if (commit is null || !Directory.Exists(Snapshot(model, commit)))
            return null;
        return Snapshot(model, commit);
    }

    /// <summary>Whether a text is a full commit hash.</summary>
    internal static bool IsCommit(string text) => CommitHash().IsMatch(text);

    /// <summary>Whether an etag can be the name of a blob.</summary>
    internal static bool IsBlobName(string etag) => BlobName().IsMatch(etag);

    /// <summary>The folder of a commit's files.</summary>
    internal string Snapshot(HubModel model, string commit) => Path.Combine(Folder, model.CacheName, "snapshots", commit);

    /// <summary>The path of a content.</summary>
    internal string Blob(HubModel model, string etag) => Path.Combine(Folder, model.CacheName, "blobs", etag);

    /// <summary>The lock that programs hold while they fetch a content.</summary>
    internal string BlobLock(HubModel model, string etag) => Path.Combine(Folder, ".locks", model.CacheName, $"{etag}.lock");

    /// <summary>Puts a blob into a snapshot under a file's name: a relative link, or a copy where the system makes no links.</summary>
    internal void Link(HubModel model, string commit, string file, string etag)
    {
        string link = Path.Combine(Snapshot(model, commit), file.Replace('/', Path.DirectorySeparatorChar));
        string parent = Path.GetDirectoryName(link)!;
        Directory.CreateDirectory(parent);
        string blob = Blob(model, etag);
        string target = Path.GetRelativePath(parent, blob);
        FileInfo present = new(link);
        if (present.LinkTarget == target || (present is { Exists: true, LinkTarget: null } && present.Length == new FileInfo(blob).Length))
            return;
        File.Delete(link);
        try
        {
            File.CreateSymbolicLink(link, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !File.Exists(link))
        {
            File.Copy(blob, link);
        }
    }

    /// <summary>Notes which commit a branch or tag is at.</summary>
    internal void WriteRef(HubModel model, string commit)
    {
        if (!IsCommit(model.Revision))
            AtomicFile.WriteAllText(RefPath(model), commit);
    }

    private string RefPath(HubModel model) => Path.Combine(Folder, model.CacheName, "refs", model.Revision.Replace('/', Path.DirectorySeparatorChar));

    private string? ReadRef(HubModel model)
    {
        string path = RefPath(model);
        // The cache is shared: what others wrote is not trusted to be a hash.
        if (!File.Exists(path) || new FileInfo(path).Length > 100)
            return null;
        string commit = File.ReadAllText(path).Trim();
        return IsCommit(commit) ? commit : null;
    }

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex CommitHash();

    [GeneratedRegex(@"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\z")]
    private static partial Regex BlobName();
}
