#:project ../src/Gradus/Gradus.csproj
// Trains a tokenizer, saves it in the usual layout, opens it again and looks at its tokens: dotnet run examples/tokenizer.cs
using Gradus.Text;

string[] texts = ["The cat sat on the mat.", "The dog sat on the log.", "The cat and the dog sat down.", "Sat the cat on the log?"];
TrainedTokenizer trained = ByteLevelBpeTrainer.Train(Corpus.FromTexts(texts), new ByteLevelBpeOptions(VocabularySize: 290, SpecialTokens: ["<|end|>"]));

string folder = Directory.CreateTempSubdirectory("tokenizer").FullName;
trained.Tokenizer.Save(folder);
Tokenizer tokenizer = Tokenizer.Load(folder);
int[] ids = tokenizer.Encode("The cat sat.<|end|>");
Console.WriteLine(string.Join(" | ", ids.Select(id => $"{id} {tokenizer.IdToToken(id)}")));
Console.WriteLine(tokenizer.Decode(ids));
Directory.Delete(folder, recursive: true);
