using System.Buffers;

namespace Gradus.Text;

// The way back, into strings and into spans.
public sealed partial class TokenizerAdapter
{
    /// <summary>The text of ids.</summary>
    /// <param name="ids">The ids.</param>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return _tokenizer.Decode(ids as int[] ?? [.. ids], _skipSpecialTokens);
    }

    /// <summary>Writes the text of ids into a buffer, as far as whole characters fit.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="destination">Where the text goes.</param>
    /// <param name="idsConsumed">How many ids the written text stands for. An id whose character is not complete is not consumed.</param>
    /// <param name="charsWritten">The length of the text.</param>
    /// <returns>
    /// Done; DestinationTooSmall where the text of the next ids does not fit; InvalidData where the next id has no token.
    /// What is decoded from the ids that are left is a text of its own: a decoder that drops the space before the first word drops it there too.
    /// </returns>
    public OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        idsConsumed = 0;
        charsWritten = 0;
        DecodeStream stream = _tokenizer.CreateDecodeStream(_skipSpecialTokens);
        int read = 0;
        foreach (int id in ids)
        {
            if (_tokenizer.IdToToken(id) is null)
                return Write(stream.Flush(), read, destination, ref idsConsumed, ref charsWritten) ? OperationStatus.InvalidData : OperationStatus.DestinationTooSmall;
            read++;
            string text = stream.Append(id);
            bool complete = text.Length > 0 || stream.IsEmpty;
            if (complete && !Write(text, read, destination, ref idsConsumed, ref charsWritten))
                return OperationStatus.DestinationTooSmall;
        }
        return Write(stream.Flush(), read, destination, ref idsConsumed, ref charsWritten) ? OperationStatus.Done : OperationStatus.DestinationTooSmall;
    }

    private static bool Write(string text, int read, Span<char> destination, ref int idsConsumed, ref int charsWritten)
    {
        if (!text.TryCopyTo(destination[charsWritten..]))
            return false;
        charsWritten += text.Length;
        idsConsumed = read;
        return true;
    }
}
