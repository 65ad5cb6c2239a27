namespace Gradus.Files.Hub;

/// <summary>A file of a model on the hub.</summary>
/// <param name="Name">Its path in the repository, with forward slashes; checked to stay inside a folder.</param>
/// <param name="Etag">The hash of its contents: SHA-256 for large files, git's SHA-1 for others; null where the listing lacks it.</param>
/// <param name="Size">Its length in bytes, or null where the listing lacks it.</param>
public sealed record HubFile(string Name, string? Etag, long? Size);

/// <summary>What the hub says about a model at a revision.</summary>
/// <param name="Commit">The revision's commit hash.</param>
/// <param name="Files">All its files.</param>
public sealed record HubListing(string Commit, IReadOnlyList<HubFile> Files);

/// <summary>How far fetching is.</summary>
/// <param name="File">The file that just advanced.</param>
/// <param name="FileBytes">Bytes of it that are on the disk.</param>
/// <param name="FileSize">Its length in bytes.</param>
/// <param name="Bytes">Bytes of all files on the disk, those of earlier runs included.</param>
/// <param name="Size">Bytes of all files to fetch.</param>
public readonly record struct HubProgress(string File, long FileBytes, long FileSize, long Bytes, long Size);
