namespace Gradus.Text;

public sealed partial class Tokenizer
{
    /// <summary>
    /// The ids of a document as models learn and are measured on it: the text without the post-processor's tokens, ended by
    /// <see cref="EndOfText"/> where the vocabulary has it.
    /// </summary>
    /// <param name="text">The document.</param>
    public int[] EncodeDocument(string text)
    {
        int[] ids = Encode(text, addSpecialTokens: false);
        return EndOfText is { } end ? [.. ids, end] : ids;
    }

    /// <summary>The ids of many documents, in their order, on all cores (<see cref="EncodeDocument"/>).</summary>
    /// <param name="texts">The documents.</param>
    public int[][] EncodeDocuments(IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        int[][] results = new int[texts.Count][];
        Parallel.For(0, texts.Count, i => results[i] = EncodeDocument(texts[i]));
        return results;
    }
}
