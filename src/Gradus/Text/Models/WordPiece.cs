// BERT's WordPiece: from the start of a word take the longest token, then go on with the longest continuing one.
// Source: BERT's tokenization.py; Hugging Face tokenizers, models/wordpiece.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Greedy longest match within words; a word that cannot be cut into tokens is the unknown token.</summary>
public sealed class WordPiece : TokenModel
{
    private readonly string _unknownToken;
    private readonly string _prefix;
    private readonly int _maxCharacters;
    private readonly int _unknown;
    private readonly PieceTrie _trie;
    private readonly int _continuing;

    /// <summary>A WordPiece model.</summary>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="unknownToken">The token for words that cannot be cut.</param>
    /// <param name="prefix">What continuing tokens begin with, <c>##</c>.</param>
    /// <param name="maxCharacters">Longer words (in characters) are unknown.</param>
    /// <exception cref="InvalidDataException">The vocabulary has no unknown token.</exception>
    internal WordPiece(Vocabulary vocabulary, string unknownToken, string prefix = "##", int maxCharacters = 100)
        : base(vocabulary)
    {
        _unknownToken = unknownToken;
        _prefix = prefix;
        _maxCharacters = maxCharacters;
        _unknown = vocabulary.Find(unknownToken) ?? throw new InvalidDataException($"model.unk_token: \"{unknownToken}\" is not in the vocabulary.");
        _trie = new PieceTrie(Enumerable.Range(0, vocabulary.Count).Select(id => (vocabulary.GetBytes(id).ToArray(), id)));
        _continuing = Walk(Encoding.UTF8.GetBytes(prefix));
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown;

    internal string Prefix => _prefix;

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        bool cached = !scratch.TrackOffsets && piece.Length <= WordCache.MaxKeyLength;
        if (cached && (scratch.Cache ??= new WordCache()).TryAppend(piece, scratch))
            return;
        int before = scratch.Count;
        if (IsTooLong(piece) || !TryCut(piece, scratch))
        {
            scratch.Count = before;
            scratch.Add(_unknown, 0, piece.Length);
        }
        if (cached)
            scratch.Cache!.Store(piece, scratch.Ids.AsSpan(before, scratch.Count - before));
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "WordPiece");
        writer.WriteString("unk_token", _unknownToken);
        writer.WriteString("continuing_subword_prefix", _prefix);
        writer.WriteNumber("max_input_chars_per_word", _maxCharacters);
        WriteVocabulary(writer, Vocabulary);
        writer.WriteEndObject();
    }

    private bool IsTooLong(ReadOnlySpan<byte> piece)
    {
        if (piece.Length <= _maxCharacters)
            return false;
        int characters = 0;
        for (int i = 0; i < piece.Length && characters <= _maxCharacters; i += CharacterClasses.LengthOf(piece[i]))
            characters++;
        return characters > _maxCharacters;
    }

    private bool TryCut(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        for (int start = 0; start < piece.Length;)
        {
            int node = start == 0 ? PieceTrie.Root : _continuing;
            int id = -1;
            int end = start;
            for (int i = start; i < piece.Length && node >= 0; i++)
            {
                node = _trie.Child(node, piece[i]);
                // A token may end only where a character does.
                if (node >= 0 && _trie.Value(node) >= 0 && (i + 1 == piece.Length || (piece[i + 1] & 0xC0) != 0x80))
                {
                    id = _trie.Value(node);
                    end = i + 1;
                }
            }
            if (id < 0)
                return false;
            scratch.Add(id, start, end);
            start = end;
        }
        return true;
    }

    private int Walk(ReadOnlySpan<byte> bytes)
    {
        int node = PieceTrie.Root;
        foreach (byte b in bytes)
        {
            if (node >= 0)
                node = _trie.Child(node, b);
        }
        return node;
    }
}
