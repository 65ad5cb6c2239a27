using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Tests.Objectives;

public sealed class FillInTheMiddleTests
{
    private const string Text = "public static int Twice(int x) => 2 * x; // 𝄞 doubles\n";

    private static readonly Tokenizer Characters = CharacterTokenizer.Train([Text])
        .WithAddedTokens(["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"]);

    [Fact]
    public void ATextCanBePutTogetherAgain()
    {
        FillInTheMiddleTokens t = FillInTheMiddleTokens.Of(Characters);
        FillInTheMiddle cut = new(Characters, t, new FillInTheMiddleOptions(), 1);
        int plain = 0, suffixFirst = 0;
        HashSet<string> middles = [];
        for (long number = 0; number < 2000; number++)
        {
            int[] ids = cut.Encode(Text, number);
            Assert.Equal(t.End, ids[^1]);
            ids = ids[..^1];
            if (ids[0] != t.Prefix)
            {
                plain++;
                Assert.Equal(Text, Characters.Decode(ids));
                continue;
            }
            int suffix = Array.IndexOf(ids, t.Suffix), middle = Array.IndexOf(ids, t.Middle);
            Assert.True(suffix > 0 && middle > suffix);
            string end = Characters.Decode(ids.AsSpan((suffix + 1)..middle)), rest = Characters.Decode(ids.AsSpan((middle + 1)..));
            if (suffix == 1 && rest.Length + end.Length == Text.Length)
            {
                suffixFirst++;
                Assert.Equal(Text, rest + end);
                continue;
            }
            Assert.Equal(Text, Characters.Decode(ids.AsSpan(1..suffix)) + rest + end);
            middles.Add(rest);
        }
        Assert.InRange(plain, 1000 - 90, 1000 + 90);
        // A prefix of nothing looks like a suffix that comes first: one in 50 of the others.
        Assert.InRange(suffixFirst, 500 - 80, 500 + 110);
        Assert.True(middles.Count > 200);
    }

    [Fact]
    public void LongDocumentsArePartedWithoutLeavingAnythingOut()
    {
        FillInTheMiddle cut = new(Characters, FillInTheMiddleTokens.Of(Characters), new FillInTheMiddleOptions(Share: 0), 1);
        Example[] examples = [.. cut.Examples([Text, Text + Text], 40)];
        Assert.All(examples, e => Assert.InRange(e.Ids.Length, 1, 40));
        Assert.Equal(Text + Text + Text, string.Concat(examples.Select(e => Characters.Decode(e.Ids.AsSpan(..^1)))));
        Example[] all = [.. new FillInTheMiddle(Characters, FillInTheMiddleTokens.Of(Characters), new FillInTheMiddleOptions(Share: 1), 1).Examples([Text + Text], 40)];
        Assert.All(all, e => Assert.InRange(e.Ids.Length, 1, 40));
        Assert.Equal((Text + Text).Length, all.Sum(e => Characters.Decode(e.Ids).Length));
    }

    [Fact]
    public void ATokenizerWithoutTheTokensIsRefused() =>
        Assert.Contains("<|fim_prefix|>", Assert.Throws<InvalidDataException>(() => FillInTheMiddleTokens.Of(CharacterTokenizer.Train([Text]))).Message, StringComparison.Ordinal);
}
