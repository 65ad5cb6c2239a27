#:project ../src/Gradus.Evaluation/Gradus.Evaluation.csproj
// Scores the answers of two systems and says whether their difference is more than chance: dotnet run examples/metrics.cs
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;

string[] expected = ["the cat sat on the mat", "a dog ran home", "birds sing in the morning", "the train was late again", "rain fell all day", "she reads a book"];
string[] first = ["the cat sat on a mat", "a dog ran", "birds sing", "the train was late", "rain fell", "she reads books"];
string[] second = ["the cat sat on the mat", "a dog ran home", "birds sing in the morning", "the train was late", "rain fell all day", "she reads a book"];

foreach (Metric metric in new Metric[] { Rouge.L(), MetricRegistry.Get("bleu"), MetricRegistry.Get("exact_match") })
{
    MetricResult a = metric.Evaluate(Pairs(first)), b = metric.Evaluate(Pairs(second));
    PairedBootstrap difference = a.CompareWith(b);
    Console.WriteLine($"{a} against {b}; difference {difference.Difference:F3}, p = {difference.PValue:F3}");
}

MetricExample[] Pairs(string[] answers) => [.. answers.Select((answer, i) => new MetricExample(answer, [expected[i]]))];
