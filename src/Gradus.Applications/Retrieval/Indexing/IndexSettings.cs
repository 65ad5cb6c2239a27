using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>How vectors are kept.</summary>
public enum VectorPrecision
{
    /// <summary>8 bits an element with one scale a vector: a quarter of the memory.</summary>
    Int8,

    /// <summary>32 bits an element.</summary>
    Float32,
}

/// <summary>What an index was made with and stays with.</summary>
/// <param name="Words">What becomes of words; <see cref="WordForm.Auto"/> until the first documents are in.</param>
/// <param name="Chunker">The chunker's settings, as it names itself; null until documents are in.</param>
/// <param name="EmbeddingModel">The model that made the vectors, or null where there are none.</param>
/// <param name="Dimensions">The vectors' elements, 0 without vectors.</param>
/// <param name="Vectors">How vectors are kept.</param>
public sealed record IndexSettings(WordForm Words = WordForm.Auto, string? Chunker = null, string? EmbeddingModel = null, int Dimensions = 0, VectorPrecision Vectors = VectorPrecision.Int8);

/// <summary>A document as an index knows it.</summary>
/// <param name="Id">Its number in this index.</param>
/// <param name="Name">The path below the folder that was indexed.</param>
/// <param name="Hash">SHA-256 of the file, in hexadecimal digits.</param>
/// <param name="Bytes">The file's size.</param>
/// <param name="Modified">When the file was last changed.</param>
public sealed record IndexedDocument(long Id, string Name, string Hash, long Bytes, DateTimeOffset Modified);

/// <summary>A chunk with what is needed to show and cite it.</summary>
/// <param name="Id">Its number in the index.</param>
/// <param name="Document">The name of its document.</param>
/// <param name="Start">Where it begins in the document's text, in characters (UTF-16).</param>
/// <param name="Text">Its text, as it stands in the document.</param>
/// <param name="Headings">The headings over it.</param>
/// <param name="Page">Its page from 1, or null.</param>
public sealed record StoredChunk(long Id, string Document, int Start, string Text, IReadOnlyList<string> Headings, int? Page)
{
    /// <summary>Document, headings and page in one line.</summary>
    public string Source => string.Join(" › ", [Document, .. Headings.Where(h => h.Length > 0)]) + (Page is null ? "" : $", page {Page}");
}

/// <summary>Source-generated JSON of what a store keeps as JSON.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.General, UseStringEnumConverter = true)]
[JsonSerializable(typeof(IndexSettings))]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
internal sealed partial class IndexJson : JsonSerializerContext;
