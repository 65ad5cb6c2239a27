using System.Text.Json;

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

/// <summary>A file of a data set: one file of its source, or the records of several one after the other.</summary>
/// <param name="Name">Its name below the set's folder.</param>
/// <param name="Parts">The files that it is made from, at least one.</param>
public sealed record DataSetFile(string Name, IReadOnlyList<DataSetPart> Parts)
{
    /// <summary>Bytes to fetch; parts that come from one file count once.</summary>
    public long Size => Parts.DistinctBy(p => p.Sha256).Sum(p => p.Size);

    /// <summary>What the source calls a field, and the name that the file gets; the other fields stay. Null where no field is renamed.</summary>
    public IReadOnlyDictionary<string, string>? Columns { get; init; }

    /// <summary>The fields that records get, and the paths in the source's record that their values come from (<c>answers.0.text</c>): one path, or
    /// several for a list of values. Other fields are left out. Null where all fields stay as they are.</summary>
    public IReadOnlyDictionary<string, DataSetField>? Fields { get; init; }

    /// <summary>Where the records lie in a JSON document, <c>*</c> standing for every element: <c>data.*.paragraphs.*</c>. Null where the file is a list
    /// of records.</summary>
    public string? Each { get; init; }

    /// <summary>Whether the parts give a record each in turn, until one has no more; else they follow one another.</summary>
    public bool Alternate { get; init; }

    /// <summary>How many lines of text are kept, as they are; 0 for all.</summary>
    public int Lines { get; init; }

    /// <summary>Whether the file is written anew as JSON lines rather than kept as it is.</summary>
    public bool IsConverted => Columns is not null || Fields is not null || Each is not null || Alternate || Parts.Count > 1 || Parts[0].IsCut;
}

/// <summary>A file of a set's source.</summary>
/// <param name="Address">Where it is fetched from.</param>
/// <param name="Size">Bytes of what is fetched.</param>
/// <param name="Sha256">SHA-256 of what is fetched, in hexadecimal digits.</param>
public sealed record DataSetPart(Uri Address, long Size, string Sha256)
{
    /// <summary>How many records at its beginning are left out.</summary>
    public int Skip { get; init; }

    /// <summary>The most records that are kept; 0 for all.</summary>
    public int Records { get; init; }

    /// <summary>Fields that every record of this part gets, with their values: texts or numbers.</summary>
    public IReadOnlyDictionary<string, JsonElement> Add { get; init; } = new Dictionary<string, JsonElement>();

    /// <summary>The file that is meant in a zip archive, by its path there; null where what is fetched is no archive.</summary>
    public string? Entry { get; init; }

    /// <summary>Whether an entry is text in Latin-1, where it is else UTF-8.</summary>
    public bool IsLatin1 { get; init; }

    /// <summary>The field that a line of text becomes, without white space around it: every line is a record. Null where the file has records.</summary>
    public string? Line { get; init; }

    internal bool IsCut => Skip > 0 || Records > 0 || Add.Count > 0 || Entry is not null || Line is not null;
}

/// <summary>Where the value of a field comes from.</summary>
/// <param name="Paths">Paths in the source's record: names of fields and numbers of elements, separated by dots.</param>
/// <param name="IsList">Whether the value is the list of what lies at all paths, rather than what lies at the only one.</param>
public sealed record DataSetField(IReadOnlyList<string> Paths, bool IsList);
