// Unigram: of all ways to cut the text into tokens, the most probable one (Viterbi).
// Two references do the same sums in different precision, and ties are decided by the rounding: Hugging Face adds doubles from the
// start of each piece, SentencePiece adds floats from the start of the whole text. Both are followed to the bit: the text is cut where
// no token can cross, a remembered word is used only where its decisions stand clear of rounding, and all others are searched with the
// sum so far. Sources: Kudo 2018 (arXiv:1804.10959); SentencePiece, unigram_model.cc; Hugging Face tokenizers, models/unigram.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>The most probable segmentation under independent token probabilities.</summary>
public sealed class Unigram : TokenModel
{
    /// <summary>How much less than the rarest token an unknown character scores.</summary>
    private const double UnknownPenalty = 10;

    /// <summary>C's FLT_MIN.</summary>
    private const float FloatMinimum = 1.17549435e-38f;

    private readonly double[] _scores;
    private readonly double[] _latticeScores;
    private readonly int _unknown;
    private readonly double _unknownScore;
    private readonly bool _byteFallback;
    private readonly bool _single;
    private readonly SentencePieceKind[]? _kinds;
    private readonly float _bestScore;
    private readonly PieceTrie _trie;
    private readonly PairFilter _boundaries;
    private readonly int[] _byteIds = new int[256];

    /// <summary>A unigram model.</summary>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="scores">The logarithm of each token's probability: (V).</param>
    /// <param name="unknown">The id of the unknown token, or −1.</param>
    /// <param name="byteFallback">Whether unknown characters become byte tokens.</param>
    /// <param name="sentencePiece">The kinds of the tokens of a SentencePiece model, or null for Hugging Face's rules.</param>
    internal Unigram(Vocabulary vocabulary, double[] scores, int unknown, bool byteFallback, SentencePieceKind[]? sentencePiece = null)
        : base(vocabulary)
    {
        _scores = scores;
        _unknown = unknown;
        _byteFallback = byteFallback;
        _single = sentencePiece is not null;
        bool[] usable = [.. Enumerable.Range(0, vocabulary.Count).Select(id => sentencePiece is null || sentencePiece[id] is SentencePieceKind.Normal or SentencePieceKind.UserDefined)];
        double least = double.PositiveInfinity;
        // SentencePiece starts from the least positive float, so that its best score is that where all are negative, as they usually are.
        double most = sentencePiece is null ? double.NegativeInfinity : FloatMinimum;
        for (int id = 0; id < scores.Length; id++)
        {
            if (sentencePiece is null || sentencePiece[id] == SentencePieceKind.Normal)
            {
                least = Math.Min(least, scores[id]);
                most = Math.Max(most, scores[id]);
            }
        }
        if (double.IsInfinity(least))
            least = 0;
        _kinds = sentencePiece;
        _bestScore = (float)most;
        _unknownScore = _single ? (float)least - (float)UnknownPenalty : least - UnknownPenalty;
        _latticeScores = [.. scores];
        for (int id = 0; id < scores.Length; id++)
        {
            // A user-defined symbol scores so well that it is always chosen.
            if (sentencePiece is not null && sentencePiece[id] == SentencePieceKind.UserDefined)
                _latticeScores[id] = (vocabulary.GetBytes(id).Length * (float)most) - 0.1;
        }
        _trie = new PieceTrie(Enumerable.Range(0, vocabulary.Count).Where(id => usable[id]).Select(id => (vocabulary.GetBytes(id).ToArray(), id)));
        _boundaries = new PairFilter(vocabulary);
        for (int b = 0; b < 256; b++)
            _byteIds[b] = byteFallback ? vocabulary.Find(Encoding.ASCII.GetBytes($"<0x{b:X2}>")) : -1;
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown >= 0 ? _unknown : null;

    /// <summary>The logarithm of a token's probability.</summary>
    /// <param name="id">The token.</param>
    public double Score(int id) => _scores[id];

    internal bool ByteFallback => _byteFallback;

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        SentenceLattice lattice = scratch.Lattice ??= new SentenceLattice();
        int first = scratch.Count;
        double sum = 0;
        for (int start = 0; start < piece.Length;)
        {
            int end = _boundaries.Next(piece, start);
            ReadOnlySpan<byte> word = piece[start..end];
            bool cached = !scratch.TrackOffsets && word.Length <= WordCache.MaxKeyLength;
            if (!cached || !TryRemembered(word, scratch, ref sum))
            {
                int before = scratch.Count;
                double margin = Search(word, sum, lattice, out bool unknown);
                Emit(word, start, lattice, scratch, first);
                double safe = unknown ? 0 : margin;
                if (cached && safe > 0)
                    (scratch.Cache ??= new WordCache()).Store(word, scratch.Ids.AsSpan(before, scratch.Count - before), (float)safe);
                sum = lattice.Score[word.Length];
            }
            start = end;
        }
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Unigram");
        if (_unknown >= 0)
            writer.WriteNumber("unk_id", _unknown);
        else
            writer.WriteNull("unk_id");
        writer.WriteStartArray("vocab");
        for (int id = 0; id < Vocabulary.Count; id++)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(Vocabulary.GetToken(id));
            writer.WriteNumberValue(_scores[id]);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteBoolean("byte_fallback", _byteFallback);
        writer.WriteEndObject();
    }

    /// <summary>Takes the ids of a remembered word where no rounding at the present sum could have changed a decision.</summary>
    private bool TryRemembered(ReadOnlySpan<byte> word, EncodeScratch scratch, ref double sum)
    {
        int[] known = scratch.Lattice!.Remembered;
        if (scratch.Cache is null || !scratch.Cache.TryGet(word, known, out int count, out float margin))
            return false;
        ReadOnlySpan<int> ids = known.AsSpan(0, count);
        double after = sum;
        foreach (int id in ids)
            after = Rounded(after + _latticeScores[id]);
        double step = Math.Max(Math.Abs(sum), Math.Abs(after)) * (_single ? 1.2e-7 : 2.3e-16);
        // Every addition along either path is off by half a step at most.
        if (margin <= 4 * (word.Length + 1) * step)
            return false;
        scratch.AddRange(ids);
        sum = after;
        return true;
    }

    private double Rounded(double value) => _single ? (float)value : value;

    /// <summary>Fills the lattice of a word, starting from a sum. Returns how clear its closest decision was.</summary>
    private double Search(ReadOnlySpan<byte> word, double sum, SentenceLattice lattice, out bool unknown)
    {
        unknown = false;
        lattice.Begin(word.Length, sum);
        double[] score = lattice.Score;
        double margin = double.PositiveInfinity;
        for (int start = 0; start < word.Length;)
        {
            int length = Math.Min(CharacterClasses.LengthOf(word[start]), word.Length - start);
            bool single = false;
            int node = PieceTrie.Root;
            for (int i = start; i < word.Length; i++)
            {
                node = _trie.Child(node, word[i]);
                if (node < 0)
                    break;
                int id = _trie.Value(node);
                if (id < 0)
                    continue;
                lattice.Offer(i + 1, start, id, _latticeScores[id] + score[start], _single, ref margin);
                single |= i + 1 - start == length;
            }
            if (!single)
            {
                unknown = true;
                lattice.Offer(start + length, start, -1, Rounded(_unknownScore + score[start]), _single, ref margin);
            }
            start += length;
        }
        return margin;
    }

    private void Emit(ReadOnlySpan<byte> word, int offset, SentenceLattice lattice, EncodeScratch scratch, int first)
    {
        int count = lattice.Trace(word.Length);
        for (int k = count - 1; k >= 0; k--)
        {
            (int start, int end, int id) = lattice.Path(k);
            EmitOne(word, offset, start, end, id, scratch, first);
        }
    }

    private void EmitOne(ReadOnlySpan<byte> word, int offset, int start, int end, int id, EncodeScratch scratch, int first)
    {
        if (id >= 0)
        {
            scratch.Add(id, offset + start, offset + end);
            return;
        }
        if (_byteFallback && AddBytes(word[start..end], offset + start, scratch))
            return;
        if (_unknown < 0)
            throw new ArgumentException($"The text holds \"{Encoding.UTF8.GetString(word[start..end])}\", which is not in the vocabulary, and the model has no unknown token.");
        // A run of unknown characters is one unknown token.
        if (scratch.Count == first || scratch.Ids[scratch.Count - 1] != _unknown)
            scratch.Add(_unknown, offset + start, offset + end);
        else if (scratch.TrackOffsets)
            scratch.Ends[scratch.Count - 1] = offset + end;
    }

    /// <summary>The <paramref name="count"/> most probable segmentations of a normalized text, the best first.</summary>
    /// <param name="piece">The text as UTF-8, normalized and with word marks.</param>
    /// <param name="count">How many, 1 or more; fewer come where there are not so many.</param>
    internal List<int[]> NBest(ReadOnlySpan<byte> piece, int count)
    {
        List<(int Start, int End, int Id, float Score)> arcs = [];
        for (int start = 0; start < piece.Length;)
        {
            int length = Math.Min(CharacterClasses.LengthOf(piece[start]), piece.Length - start);
            bool single = false;
            int node = PieceTrie.Root;
            for (int i = start; i < piece.Length && (node = _trie.Child(node, piece[i])) >= 0; i++)
            {
                if (_trie.Value(node) is var id and >= 0)
                {
                    arcs.Add((start, i + 1, id, NBestScore(id)));
                    single |= i + 1 - start == length;
                }
            }
            if (!single)
                arcs.Add((start, start + length, -1, (float)_unknownScore));
            start += length;
        }
        List<int[]> results = [];
        EncodeScratch scratch = new();
        foreach (List<(int Start, int End, int Id)> path in UnigramNBest.Search(piece.Length, arcs, count))
        {
            scratch.Begin(trackOffsets: false);
            foreach ((int start, int end, int id) in path)
                EmitOne(piece, 0, start, end, id, scratch, 0);
            results.Add(scratch.Ids.AsSpan(0, scratch.Count).ToArray());
        }
        return results;
    }

    /// <summary>Here SentencePiece counts a user-defined symbol's characters; where it looks for one segmentation, its bytes.</summary>
    private float NBestScore(int id)
    {
        if (_kinds is null || _kinds[id] != SentencePieceKind.UserDefined)
            return (float)_latticeScores[id];
        return (float)((CountCharacters(Vocabulary.GetBytes(id)) * _bestScore) - 0.1);
    }

    private static int CountCharacters(ReadOnlySpan<byte> text)
    {
        int count = 0;
        for (int i = 0; i < text.Length; i += CharacterClasses.LengthOf(text[i]))
            count++;
        return count;
    }

    private bool AddBytes(ReadOnlySpan<byte> text, int offset, EncodeScratch scratch)
    {
        foreach (byte b in text)
        {
            if (_byteIds[b] < 0)
                return false;
        }
        for (int i = 0; i < text.Length; i++)
            scratch.Add(_byteIds[text[i]], offset + i, offset + i + 1);
        return true;
    }
}

/// <summary>The best way to every place of a text.</summary>
internal sealed class SentenceLattice
{
    /// <summary>Room for the ids of a remembered word.</summary>
    public readonly int[] Remembered = new int[WordCache.MaxIds];

    public double[] Score = new double[64];
    private int[] _from = new int[64];
    private int[] _id = new int[64];
    private int[] _ends = new int[64];

    public void Begin(int length, double sum)
    {
        if (Score.Length <= length)
        {
            int size = Math.Max(length + 1, Score.Length * 2);
            Array.Resize(ref Score, size);
            Array.Resize(ref _from, size);
            Array.Resize(ref _id, size);
            Array.Resize(ref _ends, size);
        }
        Array.Fill(_from, -1, 0, length + 1);
        Score[0] = sum;
    }

    public void Offer(int end, int start, int id, double score, bool single, ref double margin)
    {
        if (_from[end] >= 0)
        {
            margin = Math.Min(margin, Math.Abs(score - Score[end]));
            if (score <= Score[end])
                return;
        }
        Score[end] = single ? (float)score : score;
        _from[end] = start;
        _id[end] = id;
    }

    /// <summary>Walks back from the end; <see cref="Path"/> then gives the tokens, the last first.</summary>
    public int Trace(int length)
    {
        int count = 0;
        for (int end = length; end > 0; end = _from[end])
            _ends[count++] = end;
        return count;
    }

    public (int Start, int End, int Id) Path(int k) => (_from[_ends[k]], _ends[k], _id[_ends[k]]);
}
