namespace Gradus.Applications.Retrieval.Answers;

/// <summary>How questions are answered.</summary>
/// <param name="Passages">Chunks that are shown to the model, at most.</param>
/// <param name="ContextCharacters">The most characters of all passages together; what no longer fits is left out.</param>
/// <param name="Tokens">The most tokens of an answer.</param>
/// <param name="Temperature">How freely the model writes, 0 or more.</param>
/// <param name="Around">Chunks before and after a hit of the same document that are shown with it.</param>
public sealed record AnswerOptions(int Passages = 8, int ContextCharacters = 12_000, int Tokens = 512, float Temperature = 0, int Around = 0)
{
    /// <summary>What the model is asked to say where the passages do not hold the answer.</summary>
    public const string NotFound = "The documents do not say.";
}

/// <summary>A passage that an answer cites.</summary>
/// <param name="Number">The number in the answer's text, from 1.</param>
/// <param name="Quote">The words as they stand in the document.</param>
/// <param name="Document">The document's name.</param>
/// <param name="Start">Where they begin in the document's text, in characters.</param>
/// <param name="Source">Document, headings and page in one line.</param>
public sealed record Citation(int Number, string Quote, string Document, int Start, string Source);

/// <summary>An answer with its verified citations.</summary>
/// <param name="Text">The answer; <c>[1]</c> stands for the first citation.</param>
/// <param name="Citations">The citations; each quote stands in its document word for word.</param>
/// <param name="Removed">Citations of the model that were taken out because no source holds them.</param>
/// <param name="Found">Whether the documents hold an answer; false where the model says that they do not, or nothing was found.</param>
/// <param name="Passages">What the model was shown.</param>
/// <param name="Query">What was searched for: in a conversation the question made whole.</param>
public sealed record RetrievalAnswer(string Text, IReadOnlyList<Citation> Citations, int Removed, bool Found, IReadOnlyList<Indexing.StoredChunk> Passages, string Query);
