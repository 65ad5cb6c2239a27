using System.Buffers;
using System.Text;

namespace Gradus.Text;

// The way from ids back to text.
public sealed partial class Tokenizer
{
    /// <summary>The text of ids. Ids without a token (such as the rows that pad an embedding) have no text.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (DecodesBytes)
        {
            ArrayBufferWriter<byte> bytes = new(Math.Max(16, ids.Length * 4));
            foreach (int id in ids)
                bytes.Write(BytesOf(id, skipSpecialTokens));
            return Encoding.UTF8.GetString(bytes.WrittenSpan);
        }
        List<string> tokens = new(ids.Length);
        foreach (int id in ids)
        {
            if ((!skipSpecialTokens || !IsSpecial(id)) && IdToToken(id) is { } token)
                tokens.Add(token);
        }
        return _parts.Decoder is { } decoder ? string.Concat(decoder.Apply(tokens)) : string.Join(' ', tokens);
    }

    /// <summary>The texts of many lists of ids, in their order, on all cores.</summary>
    /// <param name="batch">The lists.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string[] DecodeBatch(IReadOnlyList<int[]> batch, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(batch);
        string[] texts = new string[batch.Count];
        Parallel.For(0, batch.Count, i => texts[i] = Decode(batch[i], skipSpecialTokens));
        return texts;
    }

    /// <summary>The text that one token of a byte-level vocabulary stands for may be part of a character; this gives its bytes as they are.</summary>
    /// <param name="id">The id.</param>
    /// <returns>Raw bytes for byte-level vocabularies and added tokens, the token's UTF-8 for others; empty where no token has the id.</returns>
    public ReadOnlySpan<byte> GetTokenBytes(int id)
    {
        return _addedById.TryGetValue(id, out AddedToken? added) ? Encoding.UTF8.GetBytes(added.Content) : _parts.Model.Vocabulary.GetBytes(id);
    }

    /// <summary>Starts decoding ids that come one by one, as from a model that is generating.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public DecodeStream CreateDecodeStream(bool skipSpecialTokens = true) => new(this, skipSpecialTokens);

    /// <summary>Whether the text is nothing but the bytes of the tokens, one after the other.</summary>
    internal bool DecodesBytes => _parts.Model.Vocabulary.IsByteLevel && _parts.Decoder is ByteLevelDecoder;

    internal ReadOnlySpan<byte> BytesOf(int id, bool skipSpecialTokens)
    {
        return skipSpecialTokens && IsSpecial(id) ? default : GetTokenBytes(id);
    }
}
