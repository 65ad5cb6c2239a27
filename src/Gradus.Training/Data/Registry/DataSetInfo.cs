namespace Gradus.Training.Data.Registry;

/// <summary>A data set that has a name: where it comes from, under which licence, and what it is for.</summary>
/// <param name="Name">Its name, the folder it lies in.</param>
/// <param name="What">What it holds.</param>
/// <param name="UsedFor">What it is for.</param>
/// <param name="Licence">Its licence.</param>
/// <param name="Source">The page of its publisher.</param>
/// <param name="Revision">The revision of the source that is pinned: a commit.</param>
/// <param name="Files">Its files.</param>
public sealed record DataSetInfo(string Name, string What, string UsedFor, string Licence, string Source, string Revision, IReadOnlyList<DataSetFile> Files)
{
    /// <summary>Bytes to fetch.</summary>
    public long Size => Files.Sum(f => f.Size);
}

/// <summary>A file of a data set.</summary>
/// <param name="Name">Its name below the set's folder.</param>
/// <param name="Address">Where it is fetched from.</param>
/// <param name="Size">Bytes of what is fetched.</param>
/// <param name="Sha256">SHA-256 of what is fetched, in hexadecimal digits.</param>
public sealed record DataSetFile(string Name, Uri Address, long Size, string Sha256)
{
    /// <summary>What the source calls a field, and the name that the file gets; null where the file is kept as it is.</summary>
    public IReadOnlyDictionary<string, string>? Columns { get; init; }

    /// <summary>The most records that are kept; 0 for all.</summary>
    public int Records { get; init; }

    /// <summary>Whether the file is written anew as JSON lines rather than kept as it is.</summary>
    public bool IsConverted => Columns is not null || Records > 0;
}
